/** The grpc-timeout header: at most 8 digits and a unit. */
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000001 };

/** Milliseconds; undefined when the header is not valid. */
export function parseTimeoutMs(header: string): number | undefined {
  const unit = UNIT_MS[header.slice(-1)];
  const digits = header.slice(0, -1);
  if (unit === undefined || digits.length === 0 || digits.length > 8 || !/^\d+$/.test(digits)) return undefined;
  return Number(digits) * unit;
}
