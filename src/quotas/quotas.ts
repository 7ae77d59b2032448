/**
 * The limits on calls, as one interceptor: rates by cluster, namespace, task queue and client (rules.ts), calls of a client that wait at
 * once, open executions of a namespace. In: the settings of the present configuration, so that a change of it counts from the next call
 * on. Out: the call goes on, or RESOURCE_EXHAUSTED; either way `call.rateLimit` says how it stands, for the headers of HTTP answers.
 *
 * - A refused call takes nothing from any limit and changes nothing.
 * - Shared limits are taken in the order of priorities: answers of workers first, lists last.
 * - Tables of callers are bounded: a bucket that is full again is as good as none.
 */
import { ResourceExhaustedCause, ResourceExhaustedScope } from "../../gen/wire/temporal/api/enums/v1/failed_cause.js";
import type { Call, Interceptor, Method } from "../api/call.js";
import type { RateLimit } from "../api/rate-limit.js";
import { resourceExhausted, type ServiceError } from "../api/service-error.js";
import { type Config, ofTaskQueue } from "../config/dynamic-config.js";
import type { Limits } from "../config/limits.js";
import type { Runtime } from "../lib/runtime.js";
import { type Facts, HISTORY_EVENTS, isStart, type Rule, rulesOf } from "./rules.js";
import { PriorityBuckets, type TokenBucket } from "./token-bucket.js";

export interface QuotasOptions {
  readonly config: () => Config;
  readonly runtime: Pick<Runtime, "nowMicros">;
  /** Open executions of a namespace, as of the last commit. */
  readonly openExecutions: (namespace: string) => Promise<number>;
}

const LEVELS = 6;
const BUCKETS_MAX = 20_000;
const SWEEP_MICROS = 10_000_000;
const LOOK_AGAIN_MS = 1_000;

interface Plan {
  readonly rules: readonly Rule[];
  readonly eventsRule: Rule | undefined;
  readonly waitingMax: number;
  readonly openMax: number;
}

type Queue = Pick<Facts, "namespace" | "taskQueue">;
const NO_QUEUE: Queue = { namespace: "", taskQueue: "" };
/** Calls are counted for a queue whatever the type of its tasks. */
const ANY_TYPE = 0;

interface Applied {
  readonly rule: Rule;
  readonly scope: string;
  readonly buckets: PriorityBuckets;
}

export class Quotas {
  private version = -1;
  /** By what holds for namespaces and task queues: one plan where no setting has constraints. */
  private readonly plans = new Map<Limits, Plan>();
  private readonly buckets = new Map<string, { readonly of: Queue; readonly buckets: PriorityBuckets }>();
  private sweptAt = 0;
  /** Calls that wait, by client. */
  private readonly waiting = new Map<string, number>();
  /** Starts on their way, by namespace. */
  private readonly starting = new Map<string, number>();

  constructor(private readonly o: QuotasOptions) {}

  /** Whether any limit is set: without one the interceptor need not be there. */
  get isOn(): boolean {
    if (this.o.config().constrained !== undefined) return true;
    const { rules, waitingMax, openMax } = this.planOf(NO_QUEUE);
    return rules.length > 0 || waitingMax > 0 || openMax > 0;
  }

  readonly intercept: Interceptor = async (method, request, call, next) => {
    const facts = factsOf(method, request, call);
    const { rules, waitingMax, openMax } = this.planOf(facts);
    const now = this.o.runtime.nowMicros();
    const level = levelOf(method);
    const applied = this.applied(rules, facts, now);
    this.check(applied, facts, level, call, now);
    const leaveWaiting = waitingMax > 0 && waits(method, request) ? this.enterWaiting(facts.client, waitingMax, call, now) : undefined;
    const taken = applied.filter((a) => a.rule.isChargedLater !== true);
    for (const { buckets } of taken) buckets.take(level, now);
    call.rateLimit = this.tightest(applied, level, now);
    try {
      const reply = await (openMax > 0 && isStart(method) ? this.startWithin(openMax, facts.namespace, call, next) : next());
      for (const { rule, buckets } of taken) if (rule.countsReply?.(reply) === false) buckets.giveBack(level);
      return reply;
    } catch (e) {
      // A poll that was refused or cancelled has brought nothing.
      for (const { rule, buckets } of taken) if (rule.countsReply !== undefined) buckets.giveBack(level);
      throw e;
    } finally {
      leaveWaiting?.();
    }
  };

  /** Events of a namespace have been written. */
  charge(namespace: string, events: number): void {
    const of = { namespace, taskQueue: "" };
    const { eventsRule: rule } = this.planOf(of);
    if (rule === undefined) return;
    const now = this.o.runtime.nowMicros();
    this.bucketsOf(rule, `namespace:${namespace}`, of, now).at(0).take(now, events);
  }

  private planOf({ namespace, taskQueue }: Queue): Plan {
    const config = this.o.config();
    if (this.version !== config.version) this.renew(config.version);
    const limits = ofTaskQueue(config, namespace, taskQueue, ANY_TYPE);
    let plan = this.plans.get(limits);
    if (plan === undefined) {
      const rules = rulesOf(limits);
      const eventsRule = rules.find((r) => r.name === HISTORY_EVENTS);
      plan = { rules, eventsRule, waitingMax: limits.clientLongPollsMax, openMax: limits.openExecutionsMax };
      this.plans.set(limits, plan);
    }
    return plan;
  }

  /** What was used of limits that are still there stays used. */
  private renew(version: number): void {
    this.version = version;
    this.plans.clear();
    const now = this.o.runtime.nowMicros();
    for (const [key, { of, buckets }] of this.buckets) {
      const name = key.slice(0, key.indexOf("\n"));
      const rule = this.planOf(of).rules.find((r) => r.name === name);
      if (rule === undefined) this.buckets.delete(key);
      else buckets.resize(sizeOf(rule), now);
    }
  }

  private applied(rules: readonly Rule[], facts: Facts, now: number): Applied[] {
    const out: Applied[] = [];
    for (const rule of rules) {
      const scope = rule.scopeOf(facts);
      if (scope !== undefined) out.push({ rule, scope, buckets: this.bucketsOf(rule, scope, facts, now) });
    }
    return out;
  }

  private bucketsOf(rule: Rule, scope: string, { namespace, taskQueue }: Queue, now: number): PriorityBuckets {
    const key = `${rule.name}\n${scope}`;
    const found = this.buckets.get(key);
    if (found !== undefined) return found.buckets;
    this.makeRoom(now);
    const buckets = new PriorityBuckets(sizeOf(rule), rule.isShared ? LEVELS : 1, now);
    this.buckets.set(key, { of: { namespace, taskQueue }, buckets });
    return buckets;
  }

  private makeRoom(now: number): void {
    if (this.buckets.size < BUCKETS_MAX) return;
    if (now - this.sweptAt >= SWEEP_MICROS) {
      this.sweptAt = now;
      for (const [key, { buckets }] of this.buckets) if (buckets.isFull(now)) this.buckets.delete(key);
    }
    // The oldest of more callers than there can be at once.
    if (this.buckets.size >= BUCKETS_MAX) for (const key of this.buckets.keys()) return void this.buckets.delete(key);
  }

  /** @throws ServiceError when a limit is reached, with that limit in `call.rateLimit`. */
  private check(applied: readonly Applied[], facts: Facts, level: number, call: Call, now: number): void {
    let longest: { readonly refusing: Applied; readonly wait: number } | undefined;
    for (const a of applied) {
      const wait = a.buckets.at(level).untilNext(now);
      if (wait > 0 && (longest === undefined || wait > longest.wait)) longest = { refusing: a, wait };
    }
    if (longest === undefined) return;
    const { rule, scope, buckets } = longest.refusing;
    call.rateLimit = standOf(rule, scope, buckets.at(level), now);
    throw resourceExhausted(rule.text(facts), ResourceExhaustedCause.RPS_LIMIT, rule.scope);
  }

  private tightest(applied: readonly Applied[], level: number, now: number): RateLimit | undefined {
    let found: RateLimit | undefined;
    for (const { rule, scope, buckets } of applied) {
      const stand = standOf(rule, scope, buckets.at(level), now);
      if (found === undefined || stand.remaining / stand.limit < found.remaining / found.limit) found = { ...stand, retryAfterMs: 0 };
    }
    return found;
  }

  private enterWaiting(client: string, max: number, call: Call, now: number): () => void {
    const count = this.waiting.get(client) ?? 0;
    if (count >= max) {
      call.rateLimit = fullOf(`client:${client}`, max, now);
      throw tooMany(`Too many concurrent long polls of client '${client}'`, ResourceExhaustedScope.SYSTEM);
    }
    this.waiting.set(client, count + 1);
    return () => leave(this.waiting, client);
  }

  /**
   * Each start counts those before it that are still on their way as if they had made an execution: together they never make one too
   * many, at worst one that was on its way and came to nothing keeps another out.
   */
  private async startWithin(max: number, namespace: string, call: Call, next: () => unknown): Promise<unknown> {
    const before = this.starting.get(namespace) ?? 0;
    this.starting.set(namespace, before + 1);
    try {
      const open = await this.o.openExecutions(namespace);
      if (open + before >= max) {
        call.rateLimit = fullOf(`namespace:${namespace}`, max, this.o.runtime.nowMicros());
        throw tooMany(`Too many concurrent executions in namespace '${namespace}'`, ResourceExhaustedScope.NAMESPACE);
      }
      return await next();
    } finally {
      leave(this.starting, namespace);
    }
  }
}

const sizeOf = ({ limit, burst, windowMs }: Rule) => ({ capacity: limit * burst, windowMs: windowMs * burst });

const tooMany = (text: string, scope: ResourceExhaustedScope): ServiceError =>
  resourceExhausted(text, ResourceExhaustedCause.CONCURRENT_LIMIT, scope);

function leave(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 1) - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}

function standOf({ limit, windowMs }: Rule, scope: string, bucket: TokenBucket, now: number): RateLimit {
  return {
    scope,
    limit,
    windowMs,
    remaining: bucket.remaining(now),
    resetTime: now + bucket.untilFull(now),
    retryAfterMs: bucket.untilNext(now) / 1000,
  };
}

/** As many at the same time as may be. When there is room again nobody knows: the caller is to look in a moment. */
function fullOf(scope: string, limit: number, now: number): RateLimit {
  return { scope, limit, windowMs: undefined, remaining: 0, resetTime: now + LOOK_AGAIN_MS * 1000, retryAfterMs: LOOK_AGAIN_MS };
}

/** 0 first. What has been done already is worth most: refused, it would be done again. */
function levelOf({ permission, priority }: Method): number {
  if (permission === "worker.respond") return 0;
  return permission === "workflow.list" ? LEVELS - 1 : Math.max(1, priority);
}

interface Counted {
  namespace?: unknown;
  taskQueue?: { name?: string } | string;
  waitNewEvent?: boolean;
}

function factsOf(method: Method, request: unknown, call: Call): Facts {
  const { namespace, taskQueue } = request as Counted;
  const queue = typeof taskQueue === "string" ? taskQueue : (taskQueue?.name ?? "");
  // CloudService manages namespaces and takes nothing of theirs.
  const of = typeof namespace === "string" && method.action === undefined ? namespace : "";
  return { method, namespace: of, taskQueue: queue, client: clientOf(call), kind: call.identity?.kind ?? "" };
}

/** The authenticated subject, else the address. */
export function clientOf({ identity, peer }: Pick<Call, "identity" | "peer">): string {
  if (identity !== undefined) return `${identity.kind}/${identity.id}`;
  const colon = peer.lastIndexOf(":");
  return colon < 0 ? peer : peer.slice(0, colon);
}

const waits = (method: Method, request: unknown): boolean => method.longPoll && (request as Counted).waitNewEvent !== false;
