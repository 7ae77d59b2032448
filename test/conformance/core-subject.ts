/**
 * The server without its wire, its store and its clock: handlers, engine and core over a memory store on a simulated clock. When a
 * script only waits, the clock goes on to the next timer, so that an hour costs nothing and the same script gives the same run.
 */
import type { Call } from "../../src/api/call.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { decode, encode } from "../../src/api/wire.js";
import { defaultConfig, withSettings } from "../../src/config/dynamic-config.js";
import type { Logger } from "../../src/lib/runtime.js";
import type { HttpCaller } from "../../src/nexus/http/client.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import type { Store } from "../../src/persistence/store.js";
import { Chain } from "../../src/rpc/interceptor/chain.js";
import { type Assembled, assemble, type Parts } from "../../src/server/assemble.js";
import { SimRuntime, settleMicrotasks } from "../simulation/sim-runtime.js";
import { COMMON_SETTINGS } from "./reference-settings.js";
import { CallError, type MethodOf, type Subject } from "./subject.js";

type TestClocks = NonNullable<Parts["testClocks"]>;

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const NOBODY_LISTENS: HttpCaller = (url) =>
  Promise.reject(new Error(`Post ${JSON.stringify(url)}: dial tcp ${new URL(url).host}: connect: connection refused`));
/** Turns without anything to do before the clock moves: promises of a script settle within a few. */
const IDLE_TURNS = 3;

export class CoreSubject implements Subject {
  private waiting = 0;
  private isOpen = true;
  private readonly bugs: unknown[] = [];

  private constructor(
    private readonly runtime: SimRuntime,
    private readonly api: Assembled,
    private readonly chain: Chain,
  ) {}

  static async open(
    store: Store = new MemoryStore(),
    seed = 1,
    o: { testClocks?: TestClocks; now?: number; logger?: Logger; http?: HttpCaller; settings?: Readonly<Record<string, unknown>> } = {},
  ): Promise<CoreSubject> {
    const runtime = new SimRuntime(seed);
    if (o.now !== undefined) runtime.now = o.now;
    const bugs: unknown[] = [];
    let isReady = false;
    const assembled = assemble({
      store,
      runtime,
      logger: o.logger ?? SILENT,
      config: withSettings(
        defaultConfig(),
        Object.entries({ ...COMMON_SETTINGS, ...o.settings }).map(([key, value]) => `${key}=${JSON.stringify(value)}`),
        () => undefined,
      ),
      namespaces: [],
      searchAttributes: {},
      address: "core",
      ...(o.testClocks === undefined ? {} : { testClocks: o.testClocks }),
      onBug: (report) => {
        bugs.push(report.error);
        return "";
      },
      onFatal: (e) => bugs.push(e),
      http: o.http ?? NOBODY_LISTENS,
    }).finally(() => {
      isReady = true;
    });
    while (!isReady) {
      await settleMicrotasks();
      runtime.turn();
    }
    const api = await assembled;
    const subject = new CoreSubject(runtime, api, new Chain(api.interceptors, o.logger ?? SILENT));
    subject.bugs.push(...bugs);
    void subject.run();
    return subject;
  }

  private async run(): Promise<void> {
    let idle = 0;
    while (this.isOpen) {
      await settleMicrotasks();
      if (this.runtime.turn()) idle = 0;
      else if (this.waiting > 0 && ++idle > IDLE_TURNS) {
        idle = 0;
        this.runtime.tick();
      }
    }
  }

  /** Microseconds of the simulated clock: what a test waits in real time. */
  get now(): number {
    return this.runtime.nowMicros();
  }

  async unary({ path }: MethodOf, request: Uint8Array, timeoutMs: number, metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
    const method = this.api.methods.get(path);
    if (method === undefined) throw new CallError(Code.UNIMPLEMENTED, "", []);
    const listeners = new Set<() => void>();
    const call: Call & { cancelled: boolean } = {
      path,
      deadlineMs: this.runtime.nowMicros() / 1000 + timeoutMs,
      metadata: (key) => metadata[key],
      cancelled: false,
      onCancel: (f) => {
        listeners.add(f);
        return () => listeners.delete(f);
      },
      peer: "script",
    };
    this.waiting++;
    try {
      const reply = await new Promise((resolve, reject) => {
        const stop = this.runtime.setTimer(timeoutMs, () => {
          call.cancelled = true;
          for (const f of listeners) f();
          reject(new ServiceError(Code.DEADLINE_EXCEEDED, "context deadline exceeded"));
        });
        this.chain.run(method, decode(method.input, request), call).then(resolve, reject).finally(stop);
      });
      return encode(method.output, reply as never);
    } catch (e) {
      if (e instanceof ServiceError)
        throw new CallError(
          e.code,
          e.message,
          e.details.map((d) => d.typeName),
          e.details.map((d) => d.value),
        );
      throw e;
    } finally {
      this.waiting--;
    }
  }

  sleep(ms: number): Promise<void> {
    this.waiting++;
    return new Promise((resolve) => {
      this.runtime.setTimer(ms, () => {
        this.waiting--;
        resolve();
      });
    });
  }

  /** The server ends as a process does; the store keeps what it has. */
  drain(): Promise<void> {
    return this.api.drain();
  }

  close(): void {
    this.isOpen = false;
    if (this.bugs.length > 0) throw new Error(`the core has a bug: ${this.bugs[0]}`);
  }
}
