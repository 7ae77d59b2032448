/** Go's time.ParseDuration with its texts, and the unit "d" (24 hours) that the official server adds. Microseconds, cut. */

const UNIT_NANOS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, "\u00b5s": 1e3, "\u03bcs": 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

export class DurationError extends Error {}

/** @throws DurationError */
export function parseGoDuration(given: string): number {
  const text = given.replace(/(\d+\.?\d*|\.\d+)d/g, (_, days: string) => `${(Number(days) * 24).toFixed(6)}h`);
  const invalid = () => new DurationError(`time: invalid duration ${JSON.stringify(text)}`);
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === "0") return 0;
  if (rest === "") throw invalid();
  let nanos = 0;
  while (rest !== "") {
    const number = /^(\d+\.?\d*|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) throw invalid();
    rest = rest.slice(number.length);
    const unit = /^[^.\d]*/.exec(rest)?.[0] ?? "";
    if (unit === "") throw new DurationError(`time: missing unit in duration ${JSON.stringify(text)}`);
    const scale = UNIT_NANOS[unit];
    if (scale === undefined) throw new DurationError(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    rest = rest.slice(unit.length);
    nanos += Number(number) * scale;
  }
  if (nanos >= 2 ** 63) throw invalid();
  const micros = Math.floor(nanos / 1000);
  return text.startsWith("-") ? -micros : micros;
}
