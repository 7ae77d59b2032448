/** A compressed message, with the official server's codes and texts for whatever is wrong with it. */
import { constants, gunzipSync } from "node:zlib";
import { Code, ServiceError } from "../../api/service-error.js";

const SMALL_BODY_BYTES = 1024;
const SMALL_CHUNK_BYTES = 2048;

/** @throws ServiceError when the bytes are not gzip, not whole, or more than `bytesMax` when unpacked. */
export function gunzip(body: Buffer, bytesMax: number): Buffer {
  if (body.length === 0) throw new ServiceError(Code.INTERNAL, "grpc: failed to decompress the message: EOF");
  try {
    return gunzipSync(body, {
      maxOutputLength: bytesMax,
      // The default chunk of 16 KiB is allocated for each call, however small: most of its cost, and work for the collector.
      chunkSize: body.length < SMALL_BODY_BYTES ? SMALL_CHUNK_BYTES : constants.Z_DEFAULT_CHUNK,
    });
  } catch (e) {
    throw failure(e as { code?: string; message: string }, bytesMax);
  }
}

function failure(e: { code?: string; message: string }, bytesMax: number): ServiceError {
  if (e.code === "ERR_BUFFER_TOO_LARGE")
    return new ServiceError(Code.RESOURCE_EXHAUSTED, `grpc: received message after decompression larger than max ${bytesMax}`);
  if (e.message === "incorrect header check") return new ServiceError(Code.INTERNAL, "grpc: failed to decompress the message: gzip: invalid header");
  return new ServiceError(Code.INTERNAL, `grpc: failed to read decompressed data: ${TEXTS[e.message] ?? e.message}`);
}

const TEXTS: Readonly<Record<string, string>> = {
  "unexpected end of file": "unexpected EOF",
  "incorrect data check": "gzip: invalid checksum",
  "incorrect length check": "gzip: invalid checksum",
};
