/** A plain client of WorkflowService, OperatorService and TestService for the benches: our codec over grpc-js, no SDK between. */
import { Client, credentials } from "@grpc/grpc-js";
import { OperatorService } from "../gen/wire/temporal/api/operatorservice/v1/service.js";
import { TestService } from "../gen/wire/temporal/api/testservice/v1/service.js";
import { WorkflowService } from "../gen/wire/temporal/api/workflowservice/v1/service.js";
import { decode, encode, type Init, type MessageType } from "../src/api/wire.js";

const METHODS = { ...WorkflowService.methods, ...OperatorService.methods, ...TestService.methods };
type Methods = typeof METHODS;
type Input<M extends keyof Methods> = Methods[M]["input"] extends MessageType<infer T> ? Init<T> : never;
type Output<M extends keyof Methods> = Methods[M]["output"] extends MessageType<infer T> ? T : never;

export class Rpc {
  private readonly client: Client;

  constructor(address: string) {
    this.client = new Client(address, credentials.createInsecure(), { "grpc.max_receive_message_length": 64 * 1024 * 1024 });
  }

  call<M extends keyof Methods>(name: M, request: Input<M>): Promise<Output<M>> {
    const method = METHODS[name] as { path: string; input: MessageType<unknown>; output: MessageType<unknown> };
    const body = Buffer.from(encode(method.input, { namespace: "default", identity: "bench", ...(request as object) } as never));
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        method.path,
        (b: Buffer) => b,
        (b: Buffer) => b,
        body,
        { deadline: Date.now() + 60_000 },
        (error, reply) => {
          if (error !== null || reply === undefined) reject(error ?? new Error("no reply"));
          else resolve(decode(method.output, reply) as Output<M>);
        },
      );
    });
  }

  close(): void {
    this.client.close();
  }
}

/** Runs `f` for 0 to n - 1, at most `width` at once. */
export async function concurrently(n: number, width: number, f: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, n) }, async () => {
      for (let i = next++; i < n; i = next++) await f(i);
    }),
  );
}
