/** Rows of the table of methods, and how they become it. */
import type { Handler, Method, MethodAction, Permission, QuotaPriority } from "../api/call.js";
import type { MessageType } from "../api/wire.js";

export interface Row<I, O> {
  readonly permission: Permission;
  readonly priority: QuotaPriority;
  readonly longPoll: boolean;
  readonly handler: Handler<I, O> | undefined;
  readonly action?: MethodAction;
}

export type Descriptor<I, O> = { readonly name: string; readonly path: string; readonly input: MessageType<I>; readonly output: MessageType<O> };

/** Exactly one row, of the right types, for each method of a service. */
export type Rows<M> = { readonly [K in keyof M]: M[K] extends Descriptor<infer I, infer O> ? Row<I, O> : never };

export function row<I, O>(permission: Permission, priority: QuotaPriority, handler?: Handler<I, O>): Row<I, O> {
  return { permission, priority, longPoll: false, handler };
}

/** A row of an RPC that may wait for something to happen. */
export function poll<I, O>(permission: Permission, priority: QuotaPriority, handler?: Handler<I, O>): Row<I, O> {
  return { permission, priority, longPoll: true, handler };
}

/** The types of rows and descriptors have been matched above: from here on a method is any method. */
export function add<M extends object>(table: Map<string, Method>, service: { readonly typeName: string; readonly methods: M }, rows: Rows<M>): void {
  for (const descriptor of Object.values(service.methods) as Descriptor<unknown, unknown>[]) {
    const { name, path, input, output } = descriptor;
    const { permission, priority, longPoll, handler, action } = rows[name as keyof M] as Row<unknown, unknown>;
    table.set(path, { service: service.typeName, name, path, input, output, handler, permission, priority, longPoll, action });
  }
}
