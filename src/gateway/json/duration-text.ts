/** "1m30s" as protobuf's JSON has it, "90s". */
import { parseGoDuration } from "../../lib/go-duration.js";

/** @throws DurationError */
export function goDurationJson(text: string): string {
  const micros = parseGoDuration(text);
  const sign = micros < 0 ? "-" : "";
  const size = Math.abs(micros);
  const fraction = size % 1_000_000;
  return `${sign}${Math.floor(size / 1_000_000)}${fraction === 0 ? "" : `.${String(fraction).padStart(6, "0")}`}s`;
}
