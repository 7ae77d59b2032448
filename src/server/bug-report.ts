/** A reproducer of a bug of the core: input, state and config version, with payloads replaced by their length and hash. */
import { createHash } from "node:crypto";

export interface BugReport {
  error: unknown;
  address: unknown;
  input: unknown;
  configVersion: number;
  states: Uint8Array[];
}

export function describeBug(report: BugReport): string {
  const e = report.error;
  return JSON.stringify(
    {
      error: e instanceof Error ? { message: e.message, stack: e.stack } : String(e),
      address: report.address,
      configVersion: report.configVersion,
      input: report.input,
      states: report.states.map((s) => Buffer.from(s).toString("base64")),
    },
    (_key, value: unknown) => {
      // Buffers arrive here as what their toJSON gives.
      if (value instanceof Uint8Array) return hidden(value);
      const data = (value as { type?: string; data?: number[] } | null)?.data;
      if ((value as { type?: string } | null)?.type === "Buffer" && Array.isArray(data)) return hidden(Uint8Array.from(data));
      return value;
    },
    2,
  );
}

function hidden(bytes: Uint8Array): string {
  return `<${bytes.length} bytes ${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}>`;
}
