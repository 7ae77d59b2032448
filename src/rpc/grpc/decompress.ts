/** A compressed message, with the official server's codes and texts for whatever is wrong with it. */
import { constants, createGunzip, gunzipSync } from "node:zlib";
import { Code, ServiceError } from "../../api/service-error.js";

const SMALL_BODY_BYTES = 1024;
const SMALL_CHUNK_BYTES = 2048;
const KEPT_OUTPUT_BYTES = 16 * 1024;

/** What a zlib stream of Node keeps to itself: its native handle, and how much output and input the last write left over. */
interface Native {
  readonly _handle?: {
    reset(): void;
    onerror: () => void;
    writeSync(flush: number, input: Buffer, inputAt: number, inputBytes: number, output: Buffer, outputAt: number, outputBytes: number): void;
  };
  readonly _writeState?: Uint32Array;
}

/**
 * One inflater for all small messages: to make one for each, as gunzipSync does, costs two thirds of the call and leaves some 40 KB
 * outside the heap to the collector. Whatever is not a small whole message is answered with undefined and left to gunzipSync, and so
 * is everything where Node keeps other things to itself.
 */
function keptInflater(): (body: Buffer) => Buffer | undefined {
  const { _handle: handle, _writeState: left } = createGunzip() as unknown as Native;
  if (typeof handle?.writeSync !== "function" || typeof handle.reset !== "function" || left?.length !== 2) return () => undefined;
  const output = Buffer.allocUnsafeSlow(KEPT_OUTPUT_BYTES);
  let isFailed = false;
  handle.onerror = () => {
    isFailed = true;
  };
  return (body) => {
    isFailed = false;
    handle.reset();
    handle.writeSync(constants.Z_FINISH, body, 0, body.length, output, 0, output.length);
    const outputLeft = left[0] as number;
    if (isFailed || outputLeft === 0 || left[1] !== 0) return undefined;
    return Buffer.from(output.subarray(0, output.length - outputLeft));
  };
}

const inflateKept = keptInflater();

/** @throws ServiceError when the bytes are not gzip, not whole, or more than `bytesMax` when unpacked. */
export function gunzip(body: Buffer, bytesMax: number): Buffer {
  if (body.length === 0) throw new ServiceError(Code.INTERNAL, "grpc: failed to decompress the message: EOF");
  if (body.length < SMALL_BODY_BYTES && bytesMax >= KEPT_OUTPUT_BYTES) {
    const whole = inflateKept(body);
    if (whole !== undefined) return whole;
  }
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
