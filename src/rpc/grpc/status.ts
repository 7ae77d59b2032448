/** A service error as gRPC trailers. */
import { Status } from "../../../gen/wire/google/rpc/status.js";
import type { ServiceError } from "../../api/service-error.js";
import { encode } from "../../api/wire.js";

/** Printable ASCII except "%" stays; the rest is percent-encoded UTF-8. */
export function encodeMessage(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) return message;
  let out = "";
  for (const b of Buffer.from(message))
    out += b >= 0x20 && b <= 0x7e && b !== 0x25 ? String.fromCharCode(b) : `%${b.toString(16).toUpperCase().padStart(2, "0")}`;
  return out;
}

export function errorTrailers(error: Pick<ServiceError, "code" | "message" | "details">): Record<string, string | number> {
  const trailers: Record<string, string | number> = { "grpc-status": error.code, "grpc-message": encodeMessage(error.message) };
  if (error.details.length > 0)
    trailers["grpc-status-details-bin"] = encode(Status, {
      code: error.code,
      message: error.message,
      details: error.details.map((d) => ({ typeUrl: `type.googleapis.com/${d.typeName}`, value: d.value })),
    }).toString("base64");
  return trailers;
}
