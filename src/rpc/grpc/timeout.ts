/** The grpc-timeout header: at most 8 digits and a unit. */
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000001 };
/** 8 digits and the unit. */
const LENGTH_MAX = 9;

/** Milliseconds; a text when the header is not valid, as the official server's transport words it. */
export function parseTimeoutMs(header: string): number | string {
  if (header.length < 2) return `transport: timeout string is too short: ${JSON.stringify(header)}`;
  if (header.length > LENGTH_MAX) return `transport: timeout string is too long: ${JSON.stringify(header)}`;
  const unit = UNIT_MS[header.slice(-1)];
  if (unit === undefined) return `transport: timeout unit is not recognized: ${JSON.stringify(header)}`;
  const digits = header.slice(0, -1);
  if (!/^\d+$/.test(digits)) return `strconv.ParseUint: parsing ${JSON.stringify(digits)}: invalid syntax`;
  return Number(digits) * unit;
}
