/** A server behind an address, ours or the official one. */
import { Client, credentials, type ServiceError as GrpcError, Metadata } from "@grpc/grpc-js";
import { Status } from "../../gen/wire/google/rpc/status.js";
import { decode } from "../../src/api/wire.js";
import { CallError, type MethodOf, type Subject } from "./subject.js";

export class GrpcSubject implements Subject {
  private readonly client: Client;

  constructor(address: string) {
    this.client = new Client(address, credentials.createInsecure(), { "grpc.max_receive_message_length": 64 * 1024 * 1024 });
  }

  get now(): number {
    return Date.now() * 1000;
  }

  unary(method: MethodOf, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        method.path,
        (r: Uint8Array) => Buffer.from(r),
        (b: Buffer) => b,
        request,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error: GrpcError | null, reply?: Buffer) => {
          if (error === null) {
            resolve(reply as Buffer);
            return;
          }
          const bin = error.metadata?.get("grpc-status-details-bin")[0];
          const details = bin === undefined ? [] : decode(Status, Buffer.from(bin)).details;
          const names = details.map((d) => d.typeUrl.slice(d.typeUrl.lastIndexOf("/") + 1));
          const values = details.map((d) => d.value);
          reject(new CallError(error.code, error.details, names, values));
        },
      );
    });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  close(): void {
    this.client.close();
  }
}
