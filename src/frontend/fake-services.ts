/** For the tests of the handlers: a history of one run, a matching that holds what it is told to, and a call. */

import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import { HistoryEvent } from "../../gen/wire/temporal/api/history/v1/message.js";
import type { Call } from "../api/call.js";
import { invalidArgument } from "../api/service-error.js";
import { encode, type Init, Writer } from "../api/wire.js";
import { ApiKeys } from "../authorization/api-keys.js";
import { CloudStore } from "../cloud/cloud-store.js";
import { defaultConfig } from "../config/dynamic-config.js";
import type { ExecutionAddress, Input, InputKind, InputOf } from "../core/input.js";
import type { EventReference, HistoryPosition, HistoryRange, Replies } from "../core/transition.js";
import type { HistoryService, TestClockService } from "../history/contract.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { BuildIds } from "../matching/build-ids.js";
import type { MatchingService } from "../matching/contract.js";
import { Deployments } from "../matching/deployments.js";
import { NexusQueues } from "../matching/nexus-queues.js";
import { Workers } from "../matching/workers.js";
import { namespaceLimits } from "../namespace/limits.js";
import { NamespaceRegistry } from "../namespace/registry.js";
import { NexusEndpointRegistry } from "../nexus/endpoint-registry.js";
import { requestLimits } from "./request-limits.js";
import type { Services } from "./services.js";

export const RUN_ID = "01890000-0000-7000-8000-000000000001";

const LIMITS = requestLimits(defaultConfig().limits);

/** Time that moves when the test says so. */
export class FakeCall implements Call {
  readonly path = "";
  readonly peer = "";
  cancelled = false;
  private readonly watchers = new Set<() => void>();
  constructor(
    readonly deadlineMs: number | undefined,
    private readonly md: Record<string, string> = {},
  ) {}
  metadata(key: string): string | undefined {
    return this.md[key];
  }
  onCancel(f: () => void): () => void {
    this.watchers.add(f);
    return () => this.watchers.delete(f);
  }
  cancel(): void {
    this.cancelled = true;
    for (const f of [...this.watchers]) f();
  }
}

/** One run: batches of events, read as the rows of a store are: a page holds whole batches. */
export class FakeHistory implements HistoryService {
  readonly statusChanges = {
    follow: async () => 0,
    newest: () => 0,
    read: async () => ({ isGone: false, changes: [] }),
    wait: async () => undefined,
  };

  readonly inputs: { address: ExecutionAddress; input: Input }[] = [];
  readonly batches: HistoryEvent[][] = [];
  isOpen = true;
  trailing: Uint8Array | undefined;
  /** Replies by kind of input, other than positions. */
  replies: { [K in InputKind]?: () => Replies[K] | Promise<Replies[K]> } = {};
  private readonly waiters = new Set<{ after: number; wake: () => void }>();
  waits = 0;

  constructor(private readonly runtime: FakeRuntime) {}

  get endEventId(): number {
    return this.batches.flat().length + 1;
  }

  append(...events: Init<HistoryEvent>[]): void {
    let eventId = this.endEventId;
    this.batches.push(events.map((e) => HistoryEvent.create({ ...e, eventId: eventId++ })));
    for (const w of this.waiters) if (this.isNews(w.after)) w.wake();
  }

  position(): HistoryPosition {
    const last = this.batches.at(-1)?.[0]?.eventId ?? 0;
    const range = { runKey: 1, segments: [], fromEventId: 1, endEventId: this.endEventId };
    return { runId: RUN_ID, range, isOpen: this.isOpen, isPaused: false, closeEventId: this.isOpen ? 0 : last, trailing: this.trailing };
  }

  submit<K extends InputKind>(address: ExecutionAddress, input: InputOf<K>): Promise<Replies[K]> {
    this.inputs.push({ address, input: input as Input });
    if (input.kind === "historyPosition") return Promise.resolve(this.position() as Replies[K]);
    const reply = this.replies[input.kind as K];
    return reply === undefined ? Promise.reject(invalidArgument(`no reply to ${input.kind}`)) : Promise.resolve(reply());
  }
  isBlocked(): boolean {
    return false;
  }
  newWaiter(): number {
    return 1;
  }
  readHistory(
    range: HistoryRange,
    page: { fromEventId: number; eventCountMax: number; reverse: boolean },
  ): Promise<{ data: Uint8Array; nextEventId: number | undefined }> {
    const inRange = (e: HistoryEvent) =>
      e.eventId < range.endEventId && (page.reverse ? e.eventId <= page.fromEventId : e.eventId >= page.fromEventId);
    const taken: HistoryEvent[] = [];
    for (const batch of page.reverse ? [...this.batches].reverse() : this.batches) {
      const events = batch.filter(inRange);
      if (taken.length >= page.eventCountMax) break;
      taken.push(...(page.reverse ? events.reverse() : events));
    }
    const last = taken.at(-1)?.eventId ?? page.fromEventId;
    const next = page.reverse ? last - 1 : last + 1;
    const isDone = page.reverse ? next < 1 : next >= range.endEventId;
    return Promise.resolve({ data: framed(taken), nextEventId: isDone ? undefined : next });
  }
  readEvent(reference: EventReference): Promise<HistoryEvent | undefined> {
    return Promise.resolve(this.batches.flat().find((e) => e.eventId === reference.eventId));
  }
  waitForChange() {
    return { changed: Promise.resolve(), stop: () => undefined };
  }

  waitForEvents(_runKey: number, afterEventId: number, timeoutMs: number): Promise<void> {
    this.waits++;
    if (this.isNews(afterEventId)) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiters.add({ after: afterEventId, wake: resolve });
      this.runtime.setTimer(timeoutMs, resolve);
    });
  }
  private isNews(afterEventId: number): boolean {
    return this.endEventId - 1 > afterEventId || !this.isOpen;
  }
  drain(): Promise<void> {
    return Promise.resolve();
  }
}

export function framed(events: readonly Init<HistoryEvent>[]): Uint8Array {
  const w = new Writer();
  for (const e of events) {
    w.tag(10);
    w.bytes(encode(HistoryEvent, e));
  }
  return w.take();
}

export const started: Init<HistoryEvent> = { eventType: EventType.WORKFLOW_EXECUTION_STARTED };

const NO_ARCHIVAL = { isConfigured: false, isReadEnabled: false, defaultState: 1, defaultUri: "" };

/** Real time that nobody moves. */
class FakeClocks implements TestClockService {
  lock = () => Promise.resolve();
  unlock = () => Promise.resolve();
  sleep = () => Promise.resolve();
  sleepUntil = () => Promise.resolve();
  currentTime = () => 0;
  waitForExecution = () => Promise.resolve();
  awaiting = () => () => undefined;
  hold = () => () => undefined;
}

export interface Fakes {
  readonly s: Services;
  readonly runtime: FakeRuntime;
  readonly history: FakeHistory;
  readonly warnings: string[];
  call(timeoutMs?: number, metadata?: Record<string, string>): FakeCall;
}

export async function fakeServices(matching: Partial<MatchingService> = {}): Promise<Fakes> {
  const runtime = new FakeRuntime("free");
  const history = new FakeHistory(runtime);
  const warnings: string[] = [];
  const ignore = () => undefined;
  const namespaces = new NamespaceRegistry({
    rows: [],
    commit: () => Promise.resolve(),
    runtime,
    limits: () => namespaceLimits(defaultConfig().limits),
    isReservedAttribute: () => false,
  });
  await namespaces.ensure(["default", "other"]);
  const logger = { debug: ignore, info: ignore, warn: (_f: object, message: string) => void warnings.push(message), error: ignore };
  const s: Services = {
    history,
    clocks: new FakeClocks(),
    matching: matching as MatchingService,
    apiKeys: new ApiKeys({ rows: [], commit: async () => undefined, runtime }),
    cloud: new CloudStore({
      ...{ rows: [], commit: () => Promise.resolve(), runtime, logger, onAccessChange: ignore },
      namespaces: () => namespaces.directory,
    }),
    exports: { validate: () => Promise.resolve() },
    buildIds: new BuildIds({ rows: [], commit: () => Promise.resolve(), now: () => runtime.now, limits: () => defaultConfig().limits }),
    deployments: new Deployments({ rows: [], commit: () => Promise.resolve(), now: () => runtime.now, limits: () => defaultConfig().limits }),
    workers: new Workers({
      rows: [],
      commit: () => Promise.resolve(),
      runtime,
      limits: () => ({ entryTimeMax: 300_000_000, evictionAgeMin: 60_000_000, entriesMax: 100 }),
    }),
    nexusTasks: new NexusQueues({
      runtime,
      longPollExpirationMs: () => 60_000,
      pollerHistoryMsMax: () => 300_000,
      ratesOf: () => ({ system: 4_000, api: undefined, worker: undefined }),
    }),
    nexusEndpoints: new NexusEndpointRegistry({
      rows: [],
      commit: () => Promise.resolve(),
      runtime,
      namespaces: () => namespaces.directory,
      limits: () => ({ nameLengthMax: 200, urlLengthMax: 4096, descriptionBytesMax: 20_000, taskQueueLengthMax: 1000 }),
    }),
    namespaces,
    visibility: {
      list: () => Promise.resolve({ executions: [], nextPageToken: new Uint8Array() }),
      count: () => Promise.resolve({ count: 0 }),
      listDivision: () => Promise.resolve({ rows: [], nextPageToken: new Uint8Array() }),
    },
    searchAttributes: { validate: ignore, isReserved: (n) => n === "WorkflowId", predefined: new Map([["WorkflowId", 2]]) },
    batches: { start: () => Promise.resolve(), stopped: ignore },
    namespaceDeletion: { begin: (id) => Promise.resolve(id) },
    archival: {
      history: NO_ARCHIVAL,
      visibility: NO_ARCHIVAL,
      readHistory: () => Promise.reject(new Error("nothing is archived")),
      list: () => Promise.reject(new Error("nothing is archived")),
    },
    admin: {} as Services["admin"],
    limits: () => LIMITS,
    weightOverridesMax: () => defaultConfig().limits.fairnessWeightOverridesMax,
    runtime,
    logger,
    server: {
      version: "1.0.0",
      clusterId: "c",
      address: "127.0.0.1:7233",
      persistenceStore: "sqlite",
      visibilityStore: "sqlite",
      historyShardCount: 1024,
      hasTestClocks: true,
    },
  };
  return { s, runtime, history, warnings, call: (timeoutMs = 30_000, metadata = {}) => new FakeCall(runtime.now / 1000 + timeoutMs, metadata) };
}
