/** Calls of AdminService on any subject that scripts are played on. */
import { AdminService } from "../../gen/wire/temporal/server/api/adminservice/v1/service.js";
import { decode, encode, type Init, type MessageType } from "../../src/api/wire.js";
import { CallError, type Subject } from "../conformance/subject.js";

type Methods = typeof AdminService.methods;
export type AdminMethod = keyof Methods;
type Input<M extends AdminMethod> = Methods[M]["input"] extends MessageType<infer T> ? Init<T> : never;
type Output<M extends AdminMethod> = Methods[M]["output"] extends MessageType<infer T> ? T : never;

export class AdminClient {
  constructor(private readonly subject: Subject) {}

  async call<M extends AdminMethod>(name: M, request: Input<M>): Promise<Output<M>> {
    const method = AdminService.methods[name] as { path: string; input: MessageType<unknown>; output: MessageType<unknown> };
    return decode(method.output, await this.subject.unary(method, encode(method.input, request as never), 10_000)) as Output<M>;
  }

  /** The code and text that the call ends with. */
  async refusal<M extends AdminMethod>(name: M, request: Input<M>): Promise<[number, string]> {
    try {
      await this.call(name, request);
    } catch (e) {
      if (e instanceof CallError) return [e.code, e.message];
      throw e;
    }
    return [0, ""];
  }
}
