/**
 * One simulated run: seeded clients and workers drive the real core, engine and matching over a store that delays, refuses, tears,
 * fills up and lies about its outcome, through a process that dies at any step. Then everything heals, and all that was begun must
 * come to its end. Checked (checks.ts): nothing acknowledged is lost, no effect happens twice, replaying a history gives the stored
 * state, lists agree with states, timers are not early. Same seed, same digest.
 */
import { CommandType } from "../../gen/wire/temporal/api/enums/v1/command_type.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { apply as realApply } from "../../src/core/engine.js";
import { Archetype } from "../../src/core/execution.js";
import type { InputKind, InputOf } from "../../src/core/input.js";
import type { Outcome, Replies } from "../../src/core/transition.js";
import { RunState } from "../../src/core/workflow/mutable-state.js";
import type { ExecutionCache } from "../../src/history/execution-cache.js";
import type { GroupCommit } from "../../src/history/group-commit.js";
import { Heap } from "../../src/lib/heap.js";
import { Random } from "../../src/lib/random.js";
import type { Logger } from "../../src/lib/runtime.js";
import type { Batch } from "../../src/persistence/batch.js";
import { isSizeTrue } from "../harness/state-size.js";
import { Activities, checkActivity } from "./activities.js";
import { Receivers } from "./callbacks.js";
import { checkAll, checkRun, isWorkflow, loadRun } from "./checks.js";
import { Clients } from "./clients.js";
import { Coverage, isFault } from "./coverage.js";
import { hasOutbound, NexusHandlers } from "./nexus.js";
import { checkOperation, isOperation, Operations } from "./operations.js";
import { type OpenRun, Operators } from "./operators.js";
import { isRepair, Repairs } from "./repairs.js";
import { Schedules } from "./schedules.js";
import { NAMESPACE, type SimServer, startSimServer } from "./server.js";
import { SimRuntime, settleMicrotasks } from "./sim-runtime.js";
import { Disk, SimStore, type Verdict } from "./sim-store.js";
import { changeConfig, TestClients } from "./time.js";
import { Versions } from "./versions.js";
import { WorkerProcesses } from "./worker-processes.js";
import { Workers } from "./workers.js";
import { Acknowledged, Died, type SimWorld, type Swarm } from "./world.js";

export interface SimulationOptions {
  readonly seed: number;
  readonly steps: number;
  /** Another core in the place of the real one, to see that what it does wrong is caught. */
  readonly apply?: typeof realApply;
}

export interface Report {
  readonly seed: number;
  readonly digest: string;
  readonly deaths: number;
  readonly runs: number;
  readonly coverage: Coverage;
  readonly problems: readonly string[];
}

/** One seed in so many is played on SQLite: dearer, and the only store whose batches have parts. */
const SQLITE_EVERY = 8;
/** In one seed in so many tests move the clock, and all else goes by it. */
const TEST_CLOCK_EVERY = 6;
/** One seed in so many is spared what makes tasks time out: there, each must be delivered at once, and timers are punctual. */
const CALM_EVERY = 5;
/** In one seed in so many the core fails on inputs, as only a bug of it would, on one input in so many. */
const BUGS_EVERY = 7;
const BUG_INPUTS = 150;
/** One commit in so many is looked at as soon as it is written; standalone operations, which are few, each time. */
const CHECKED_EVERY = 12;
const HEAL_STEPS_MAX = 100_000;

const isOfTestClock = (seed: number): boolean => seed % TEST_CLOCK_EVERY === 0 && seed % SQLITE_EVERY !== 0;

/** What the seed does at all. */
export const swarmOf = (seed: number): Swarm => drawn(new Random(seed), seed);

function drawn(random: Random, seed: number): Swarm {
  const often = (): boolean => random.uint32() % 3 !== 0;
  const seldom = (): boolean => random.uint32() % 3 === 0;
  const swarm: Swarm = {
    delays: often(),
    slowReads: seldom(),
    refuses: often(),
    fills: often(),
    loses: seldom(),
    crashes: often(),
    evicts: often(),
    workerDeaths: often(),
    slowWorkers: seldom(),
    pollDeaths: often(),
    lostReplies: often(),
    duplicates: often(),
    sameBatch: often(),
    sticky: often(),
    continues: often(),
    terminates: often(),
    cancels: often(),
    deletes: seldom(),
    updates: often(),
    resets: seldom(),
    pauses: seldom(),
    operates: often(),
    schedules: often(),
    activities: often(),
    operations: seldom(),
    callbacks: often(),
    commands: often(),
    repairs: often(),
    // What counts the workflows of a version reads lists, which SQLite does on a thread of its own.
    versions: seldom() && seed % SQLITE_EVERY !== 0,
    ownClocks: seldom() && !isOfTestClock(seed),
    // As well as what a clock that skips counts: the namespace's open work.
    testClock: isOfTestClock(seed),
    // By the seed alone, not drawn: other seeds stay what they are.
    bugs: seed % BUGS_EVERY === 3 && seed % CALM_EVERY !== 0,
  };
  if (swarm.testClock) swarm.pauses = false;
  if (seed % CALM_EVERY === 0)
    Object.assign(swarm, {
      refuses: false,
      fills: false,
      loses: false,
      crashes: false,
      workerDeaths: false,
      slowWorkers: false,
      pollDeaths: true,
      activities: true,
    });
  return swarm;
}

/** What the core is made to throw. */
class PlantedBug extends Error {}

export class Simulation implements SimWorld {
  readonly swarm: Swarm;
  readonly acknowledged = new Acknowledged();
  server: SimServer | undefined;
  isHealed = false;
  private readonly random: Random;
  private readonly bugs: Random;
  private readonly disk: Disk;
  private store: SimStore;
  private runtime: SimRuntime;
  private readonly clients: Clients;
  private readonly operators: Operators;
  private readonly repairs: Repairs;
  private readonly schedules: Schedules;
  private readonly activities: Activities;
  private readonly operations: Operations;
  private readonly receivers: Receivers;
  private readonly versions: Versions;
  private readonly testClients: TestClients;
  private readonly nexus: NexusHandlers;
  private readonly processes: WorkerProcesses;
  private readonly workers: Workers;
  private readonly world = new Heap<{ at: number; order: number; f: () => void }>((a, b) => a.at - b.at || a.order - b.order);
  private order = 0;
  private readonly outstanding = new Set<(e: Error) => void>();
  private readonly problems: string[] = [];
  private readonly coverage = new Coverage();
  private deaths = 0;
  private isDying = false;
  /** Nobody answers the reads of a server that starts but itself. */
  private isUp = false;
  private written = 0;
  private readonly toCheck = new Set<number>();

  constructor(private readonly options: SimulationOptions) {
    this.random = new Random(options.seed);
    this.swarm = drawn(this.random, options.seed);
    this.bugs = new Random(options.seed + 2);
    this.runtime = new SimRuntime(options.seed + 1);
    this.disk = new Disk(options.seed % SQLITE_EVERY === 0);
    this.store = new SimStore(this.disk, this.storeFaults());
    this.versions = new Versions(this, this.disk);
    this.testClients = new TestClients(this);
    this.processes = new WorkerProcesses(this);
    this.workers = new Workers(this, this.versions, this.testClients, this.processes, (type) =>
      bump(this.coverage.commands, CommandType[type] ?? String(type)),
    );
    this.receivers = new Receivers(this, this.disk);
    this.nexus = new NexusHandlers(this, this.receivers);
    this.operations = new Operations(this, this.disk, (requestId) => this.nexus.outcomeOf(requestId));
    this.operators = new Operators(this, this.receivers);
    this.repairs = new Repairs(this, this.disk);
    this.schedules = new Schedules(this);
    this.activities = new Activities(this, this.disk, this.receivers);
    this.clients = new Clients(this, this.receivers, this.versions, (task) => this.workers.workflowTask(task, 0));
  }

  get now(): number {
    return this.runtime.now;
  }
  get time(): number {
    return this.runtime.now + (this.swarm.testClock ? this.testClients.ahead : 0);
  }
  chance(perMille: number): boolean {
    return this.random.uint32() % 1000 < perMille;
  }
  pick(n: number): number {
    return this.random.uint32() % n;
  }
  count(what: string): void {
    bump(isFault(what) ? this.coverage.faults : this.coverage.cases, what);
  }
  problem(text: string): void {
    if (this.problems.length < 20) this.problems.push(text);
  }
  later(micros: number, f: () => void): void {
    this.world.push({ at: this.runtime.now + micros, order: this.order++, f });
  }

  expected(e: unknown): void {
    if (e instanceof Died) return;
    // What the store refuses twice in a row its caller learns as INTERNAL, and so what the core failed on.
    const mayBeInternal = this.swarm.refuses || this.swarm.bugs;
    if (e instanceof ServiceError && e.code !== Code.UNKNOWN && (e.code !== Code.INTERNAL || mayBeInternal)) return;
    this.problem(`a call failed with ${e instanceof ServiceError ? `${Code[e.code]} ${e.message}` : e instanceof Error ? e.stack : String(e)}`);
  }

  async call<T>(f: (s: SimServer) => Promise<T>): Promise<T> {
    const { server } = this;
    if (server === undefined) throw new Died("no server");
    return new Promise<T>((resolve, reject) => {
      this.outstanding.add(reject);
      f(server).then(
        (v) => {
          // The dead tell nothing.
          if (this.outstanding.delete(reject)) resolve(v);
        },
        (e: Error) => {
          if (this.outstanding.delete(reject)) reject(e);
        },
      );
    });
  }

  submit<K extends InputKind>(workflowId: string, runId: string, input: InputOf<K>, archetype = Archetype.WORKFLOW): Promise<Replies[K]> {
    return this.call((s) => s.engine.submit<K>({ namespaceId: NAMESPACE.id, workflowId, runId, archetype }, input));
  }

  // --- The process

  private storeFaults() {
    return {
      verdict: (): Verdict => {
        if (this.isHealed) return "ok";
        const { swarm } = this;
        if (swarm.refuses && this.chance(8)) return this.disk.isSqlite ? "torn" : "refused";
        if (swarm.refuses && this.disk.isSqlite && this.chance(4)) return "refused";
        if (swarm.fills && this.chance(4)) return "full";
        if (swarm.loses && this.chance(2)) return "done but failed";
        if (swarm.crashes && this.chance(6))
          return this.disk.isSqlite && this.chance(500)
            ? "died within the write"
            : this.chance(500)
              ? "died before the write"
              : "died after the write";
        return "ok";
      },
      isDelayed: () => !this.isHealed && this.swarm.delays && this.chance(500),
      isReadDelayed: () => this.isUp && !this.isHealed && this.swarm.slowReads && this.chance(200),
      pick: (n: number) => this.pick(n),
      count: (fault: string) => this.count(fault),
      onDeath: () => {
        this.isDying = true;
      },
      onWritten: (batch: Batch) => {
        this.versions.onWritten(batch);
        const isLookedAt = ++this.written % CHECKED_EVERY === 0;
        for (const [key, w] of batch.executions) if (w.op !== "delete" && (isLookedAt || isOperation(w.value))) this.toCheck.add(key);
      },
    };
  }

  private readonly apply: typeof realApply = (chain, address, input, env, loaded) => {
    bump(this.coverage.inputs, input.kind);
    const outcome = () => (this.options.apply ?? realApply)(chain, address, input, env, loaded);
    // Repairs are made on a run that has just been damaged: nothing may come between.
    if (isRepair(input)) return this.repairs.watched(chain, address, input, outcome as () => Outcome) as ReturnType<typeof outcome>;
    const made = outcome();
    // When all is done that could have been seen of it: none of that may stand.
    if (this.swarm.bugs && !this.isHealed && this.bugs.uint32() % BUG_INPUTS === 0) {
      this.count("the core failed");
      throw new PlantedBug();
    }
    return made;
  };

  private async boot(): Promise<void> {
    this.isUp = false;
    await this.disk.open();
    this.store = new SimStore(this.disk, this.storeFaults());
    this.server = await startSimServer(this.store, this.runtime, this.logger(this.store), {
      sameBatchTransfers: () => {
        if (!this.swarm.sameBatch) return false;
        const isOff = this.chance(100);
        if (isOff) this.count("shortcut off");
        return !isOff;
      },
      apply: this.apply,
      outbound: this.nexus.caller,
      onBug: (error, input) => {
        if (error instanceof PlantedBug) return;
        this.problem(`the core threw on ${(input as { kind: string }).kind}: ${error instanceof Error ? error.stack : String(error)}`);
      },
      onFatal: () => {
        // The real process ends here as well.
        if (this.swarm.loses) this.isDying = true;
        else this.problem("the engine gave the store up");
      },
    });
    this.isUp = true;
    this.versions.booted();
    this.testClients.booted();
  }

  private logger(life: SimStore): Logger {
    const nothing = (): void => undefined;
    return {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: (fields, message) => {
        if (life !== this.store) return;
        if ((fields as { err?: unknown }).err instanceof PlantedBug) return;
        // Refused twice in a row: the store's doing, not the engine's.
        if (this.swarm.refuses && message.startsWith("an input makes rows that the store does not take")) return;
        this.problem(`logged an error: ${message} ${(fields as { err?: Error }).err?.stack ?? JSON.stringify(fields)}`);
      },
    };
  }

  /** The process dies; the next one begins at once, or after a while. */
  private async die(): Promise<void> {
    this.deaths++;
    this.isDying = false;
    const { now } = this.runtime;
    this.store.end();
    this.server = undefined;
    this.runtime.clear();
    this.runtime = new SimRuntime(this.options.seed + this.deaths * 7919 + 1);
    // Long enough for what stands by itself to become due meanwhile.
    this.runtime.now = now + (this.chance(this.swarm.operations ? 700 : 300) ? this.pick(5_000_000) : 0);
    const outstanding = [...this.outstanding];
    this.outstanding.clear();
    for (const reject of outstanding) reject(new Died("the server died"));
    this.workers.forget();
    this.nexus.forget();
    await settleMicrotasks();
    await this.boot();
    // Who has waited for the server comes before what has become due meanwhile.
    if (this.swarm.operations && !this.isHealed) this.operations.giveUp();
  }

  // --- The run

  async run(): Promise<Report> {
    // The reader thread of SQLite does not keep the process alive by itself.
    const alive = setInterval(() => undefined, 60_000);
    try {
      await this.boot();
      for (let step = 0; step < this.options.steps && this.problems.length === 0; step++) {
        await this.step(true);
        if (this.swarm.crashes && this.chance(3)) {
          this.count("died between two steps");
          this.isDying = true;
        }
        if (this.swarm.testClock && !this.isDying) this.watchClock();
        if (this.isDying) await this.die();
        await this.checkWritten();
      }
      if (this.problems.length === 0) await this.heal();
      const summary =
        this.problems.length === 0
          ? await checkAll(
              this.disk,
              this.acknowledged,
              this.swarm,
              this.time,
              [...this.activities.endings, ...this.operations.endings],
              (t) => this.problem(t),
              (c) => this.count(c),
            )
          : undefined;
      if (summary !== undefined) {
        this.schedules.check(summary.chains);
        this.receivers.check(summary.runsById);
        this.versions.check(summary.runsById);
        this.processes.check(summary.runsById);
        this.repairs.check(summary.runsById);
      }
      for (const [name, n] of summary?.events ?? []) this.coverage.events.set(name, n);
      return {
        seed: this.options.seed,
        digest: summary?.digest ?? "",
        deaths: this.deaths,
        runs: summary?.runs ?? 0,
        coverage: this.coverage,
        problems: this.problems,
      };
    } finally {
      this.store.end();
      this.runtime.clear();
      await this.disk.close();
      clearInterval(alive);
    }
  }

  private async checkWritten(): Promise<void> {
    if (this.toCheck.size === 0) return;
    const keys = [...this.toCheck];
    this.toCheck.clear();
    const problem = (t: string): void => this.problem(`after a commit: ${t}`);
    for (const key of keys) {
      try {
        await checkRun(this.disk, key, this.time, problem, this.acknowledged.withoutTimers);
        await checkActivity(this.disk, key, problem);
        await checkOperation(this.disk, key, this.time, problem, (c) => this.count(c));
      } catch (e) {
        problem(`rows of key ${key} cannot be read: ${(e as Error).stack}`);
      }
    }
  }

  private async step(withClients: boolean): Promise<void> {
    const { workers, store } = this;
    const what = this.pick(10);
    if (this.swarm.pollDeaths && !this.isHealed && store.hasPendingCommit && this.chance(100)) {
      const call = [...workers.calls][this.pick(Math.max(1, workers.calls.size))];
      if (call !== undefined) {
        this.count("poll canceled between reserve and confirm");
        call.cancel();
      }
    }
    if (this.swarm.evicts && !this.isHealed && this.chance(30)) this.evict();
    if (withClients && what < 2 && this.isCalling) this.client().step();
    else if (withClients && what < 2 && this.chance(250)) this.testClients.step();
    else if (what < 4) {
      if (this.swarm.commands && this.chance(200)) workers.pollCommands();
      else if (this.swarm.versions && this.chance(500)) workers.pollVersioned();
      else workers.poll();
    } else if (store.hasPendingRead && what < 6) store.answerRead(this.pick(1000));
    else if (store.hasPendingCommit && what < 7) void store.settleNext();
    else if (this.runtime.hasDeferred) this.runtime.turn();
    else if (store.hasPendingRead) store.answerRead(this.pick(1000));
    else if (store.hasPendingCommit) void store.settleNext();
    else {
      // Nothing to do now: time passes until the next thing.
      const next = this.world.peek();
      const limit = next === undefined ? this.runtime.now + 1_000_000 : next.at;
      if (!this.runtime.tick(limit)) {
        this.runtime.now = Math.max(this.runtime.now, Math.min(limit, this.runtime.now + 1_000_000));
        if (next !== undefined && next.at <= this.runtime.now) {
          this.world.pop();
          next.f();
        }
      }
    }
    await settleMicrotasks();
  }

  private watchClock(): void {
    this.testClients.look();
    if (!this.swarm.crashes || !this.testClients.isSkipping || !this.chance(100)) return;
    this.count("died within a skip");
    this.isDying = true;
  }

  /** Time is skipped only when nothing is left to do. */
  private get isCalling(): boolean {
    return !this.swarm.testClock || this.chance(150);
  }

  private client(): { step(): void } {
    const who = this.pick(100);
    if (who < 5 && this.swarm.versions) return this.versions;
    if (who < 8 && this.swarm.ownClocks) return { step: () => changeConfig(this) };
    if (who < 25) return this.operators;
    if (who < 35 && this.swarm.schedules) return this.schedules;
    if (who >= 79 && who < 82 && this.swarm.repairs) return this.repairs;
    if (who >= 82 && who < 90 && this.swarm.operations) return this.operations;
    return who >= 90 && this.swarm.activities ? this.activities : this.clients;
  }

  /** Some execution leaves memory, as if others had pushed it out. */
  private evict(): void {
    if (this.server === undefined) return;
    const { cache, commits } = this.server.engine as unknown as { cache: ExecutionCache; commits: GroupCommit };
    const chains = [...(cache as unknown as { chains: Map<string, Parameters<ExecutionCache["evict"]>[0]> }).chains.values()];
    const chain = chains[this.pick(Math.max(1, chains.length))];
    if (chain === undefined || chain.isPinned || chain.sequence > commits.durable || chain.runs.size === 0) return;
    for (const state of chain.runs.values())
      if (state instanceof RunState && !isSizeTrue(state)) this.problem(`${chain.workflowId}: the size of its state is not what its rows add up to`);
    this.count("evicted");
    cache.evict(chain);
  }

  /** No more faults and no more clients: whatever is open must end. */
  private async heal(): Promise<void> {
    this.isHealed = true;
    for (let i = 0; i < HEAL_STEPS_MAX; i++) {
      await this.step(false);
      // A commit that was to fail may still be on its way.
      if (this.isDying) await this.die();
      if (this.problems.length > 0) return;
      if (i % 500 !== 499) continue;
      if (this.swarm.versions && !this.versions.settle()) continue;
      const open = this.openRuns();
      const isResting =
        (await this.activities.end()) &&
        (await this.operations.end()) &&
        this.receivers.isResting &&
        !this.versions.isDraining &&
        !(await hasOutbound(this.disk));
      if (this.schedules.end(open.length === 0 && !this.schedules.isRunningOut) && open.length === 0 && isResting) return;
      if (open.length === 0) continue;
      this.operators.release(open);
      this.operators.giveUp(await this.orphansOfReset(open));
    }
    if (await hasOutbound(this.disk)) this.problem("calls that leave the store are still to be made");
    if (!(await this.activities.end())) this.problem("standalone activities, or their tasks, do not end");
    if (!(await this.operations.end())) this.problem("standalone Nexus operations do not end");
    if (this.versions.isDraining) this.problem("a version does not drain, though nothing runs");
    if (!this.receivers.isResting) this.problem("callbacks are not delivered");
    for (const key of await this.disk.executionKeys()) {
      const state = await loadRun(this.disk, key);
      if (state?.isOpen !== true) continue;
      const { info } = state;
      const activities = [...state.activities.base.values()].map((a) => [a.activityId, a.attempt, a.startedTime, a.waitsForRetry]);
      this.problem(
        `${info.workflowId} ${info.runId} does not end: task ${JSON.stringify(info.workflowTask)} activities ${JSON.stringify(activities)} timers ${state.timers.base.size} children ${JSON.stringify([...state.children.base.values()])} signals ${state.externalSignals.base.size} cancels ${state.externalCancels.base.size} buffered ${state.buffered.base.size} due ${info.due - this.runtime.now} awaits ${info.awaitsParent} backoff ${info.firstTaskBackoffUntil}`,
      );
    }
  }

  /**
   * Runs that a reset has begun again, and that wait for a child that ended together with their base, of which nothing tells them:
   * they wait for ever, on the official server too.
   */
  private async orphansOfReset(open: readonly OpenRun[]): Promise<OpenRun[]> {
    const keys = new Map([...this.disk.visibility].map(([key, row]) => [row.runId, key]));
    const isClosed = (runId: string): boolean => this.disk.visibility.get(keys.get(runId) ?? -1)?.closeTime !== 0;
    const out: OpenRun[] = [];
    for (const run of open) {
      const state = await loadRun(this.disk, keys.get(run.runId) ?? -1);
      if (state?.info.reset === undefined || state.info.workflowTask !== undefined || state.info.due > 0) continue;
      const children = [...state.children.base.values()];
      if (children.length > 0 && children.every((c) => isClosed(c.runId))) out.push(run);
    }
    return out;
  }

  private openRuns(): OpenRun[] {
    return [...this.disk.visibility.values()].filter((row) => row.closeTime === 0 && isWorkflow(row));
  }
}

function bump(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
