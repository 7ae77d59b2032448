/** For the tests of the wire: a real listener on a free port, with the methods, the time and the log of the test. */
import { WorkflowExecution } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { Handler, Interceptor, Method } from "../api/call.js";
import type { MessageType as Type } from "../api/wire.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import type { Logger } from "../lib/runtime.js";
import { Health } from "./health.js";
import { type Listener, type ListenerLimits, openListener } from "./listener.js";

export const TEST_SERVICE = "perdure.test.v1.TestService";
export const path = (name: string): string => `/${TEST_SERVICE}/${name}`;

/** Its two strings are all that the wire needs to see. */
export type Message = WorkflowExecution;
export const MessageType = WorkflowExecution;

export interface ListenerUnderTest {
  readonly port: number;
  readonly listener: Listener;
  readonly health: Health;
  /** Time stands still until the test moves it: deadlines, keepalive and idle connections included. */
  readonly runtime: FakeRuntime;
  /** What was logged at error. */
  readonly errors: object[];
}

export interface TestMethods {
  /** Methods of TEST_SERVICE. */
  readonly handlers?: Record<string, Handler<Message, Message>>;
  readonly others?: readonly Method[];
  readonly interceptors?: readonly Interceptor[];
  readonly limits?: Partial<ListenerLimits>;
}

/** A row of the methods table; those whose name begins with Poll are long polls. */
export function method<I, O>(name: string, input: Type<I>, output: Type<O>, handler: Handler<I, O>): Method {
  const row: Method<I, O> = {
    service: TEST_SERVICE,
    name,
    path: path(name),
    input,
    output,
    handler,
    permission: "none",
    priority: 0,
    longPoll: name.startsWith("Poll"),
  };
  return row as unknown as Method;
}

export async function openListenerUnderTest(o: TestMethods = {}): Promise<ListenerUnderTest> {
  const runtime = new FakeRuntime("free");
  const errors: object[] = [];
  const ignore = (): void => undefined;
  const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error: (fields, message) => errors.push({ ...fields, message }) };
  const methods = new Map<string, Method>((o.others ?? []).map((m) => [m.path, m]));
  for (const [name, handler] of Object.entries({ Echo: (m: Message) => m, ...o.handlers }))
    methods.set(path(name), method(name, MessageType, MessageType, handler));
  const health = new Health(new Set([...methods.values()].map((m) => m.service)));
  const listener = await openListener({
    host: "127.0.0.1",
    port: 0,
    extra: [],
    methods,
    interceptors: o.interceptors ?? [],
    limits: { receiveBytesMax: 4 * 1024 * 1024, ...o.limits },
    runtime,
    logger,
    health,
  });
  health.setServing(true);
  return { port: (listener.addresses[0] as { port: number }).port, listener, health, runtime, errors };
}

/** A value that one side gives and the other waits for. */
export class Gate<T = void> {
  open: (value: T) => void = () => undefined;
  readonly opened = new Promise<T>((resolve) => {
    this.open = resolve;
  });
}
