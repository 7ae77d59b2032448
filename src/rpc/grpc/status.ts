/** A service error as gRPC trailers. */
import { Status } from "../../../gen/wire/google/rpc/status.js";
import type { ServiceError } from "../../api/service-error.js";
import { encode } from "../../api/wire.js";
import { encodeBinary } from "./metadata.js";

/** Printable ASCII except "%" stays; the rest is percent-encoded UTF-8. */
export function encodeMessage(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) return message;
  let out = "";
  for (const b of Buffer.from(message))
    out += b >= 0x20 && b <= 0x7e && b !== 0x25 ? String.fromCharCode(b) : `%${b.toString(16).toUpperCase().padStart(2, "0")}`;
  return out;
}

/** Fixed parts of the block of headers that goes with them. */
const OTHER_HEADERS_BYTES = 256;

/** Details that would make the headers longer than `bytesMax()` are left out: a peer that is sent more than it takes sees no status at all. */
export function errorTrailers(error: Pick<ServiceError, "code" | "message" | "details">, bytesMax = () => Infinity): Record<string, string | number> {
  const trailers: Record<string, string | number> = { "grpc-status": error.code, "grpc-message": encodeMessage(error.message) };
  if (error.details.length === 0) return trailers;
  const details = error.details.map((d) => ({ typeUrl: `type.googleapis.com/${d.typeName}`, value: d.value }));
  const status = encodeBinary(encode(Status, { code: error.code, message: error.message, details }));
  if (status.length + (trailers["grpc-message"] as string).length + OTHER_HEADERS_BYTES <= bytesMax()) trailers["grpc-status-details-bin"] = status;
  return trailers;
}
