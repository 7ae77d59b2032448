/** Calls of CloudService on a server that runs, over gRPC. */
import { CloudService } from "../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { decode, encode, type Init, type MessageType } from "../../src/api/wire.js";
import { frame, WireClient } from "../../src/rpc/wire-client.js";

type Methods = typeof CloudService.methods;
type InputOf<M> = M extends { input: MessageType<infer I> } ? I : never;
type OutputOf<M> = M extends { output: MessageType<infer O> } ? O : never;
const FRAME = 5;

export class GrpcCaller {
  private constructor(
    private readonly client: WireClient,
    private readonly token: string,
  ) {}

  static async connect(address: string, token: string): Promise<GrpcCaller> {
    return new GrpcCaller(await WireClient.connect(Number(address.slice(address.lastIndexOf(":") + 1))), token);
  }

  async rpc<I, O>(
    { path, input, output }: { readonly path: string; readonly input: MessageType<I>; readonly output: MessageType<O> },
    request: Init<I>,
  ): Promise<O> {
    const headers = { authorization: `Bearer ${this.token}` };
    const answer = await this.client.call({ path, headers, chunks: [frame(encode(input, request))] });
    if (answer.status !== 0) throw new Error(`${answer.status}: ${answer.text}`);
    return decode(output, answer.body.subarray(FRAME));
  }

  call<K extends keyof Methods>(name: K, request: Init<InputOf<Methods[K]>>): Promise<OutputOf<Methods[K]>> {
    return this.rpc(CloudService.methods[name] as never, request as never) as Promise<OutputOf<Methods[K]>>;
  }

  close(): void {
    this.client.close();
  }
}
