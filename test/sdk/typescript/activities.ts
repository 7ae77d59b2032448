import { ApplicationFailure, CancelledFailure, CompleteAsyncError, Context } from "@temporalio/activity";

const attempts = new Map<string, number>();

export async function echo(value: string): Promise<string> {
  return value;
}

export async function failTimes(key: string, times: number): Promise<number> {
  const n = (attempts.get(key) ?? 0) + 1;
  attempts.set(key, n);
  if (n <= times) throw ApplicationFailure.retryable(`attempt ${n}`);
  return Context.current().info.attempt;
}

export async function failHard(): Promise<void> {
  throw ApplicationFailure.nonRetryable("hard", "Hard");
}

export async function slow(): Promise<string> {
  await Context.current()
    .sleep("5s")
    .catch(() => undefined);
  return "slow";
}

/** Gives up without a word on its first attempt; the second goes on from what the first reported. */
export async function beats(): Promise<number> {
  const context = Context.current();
  if (context.info.attempt === 1) {
    context.heartbeat(41);
    await context.cancelled.catch(() => undefined);
    return -1;
  }
  return Number(context.info.heartbeatDetails) + 1;
}

export async function waitsForCancel(): Promise<string> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  try {
    await context.cancelled;
    return "never";
  } catch (e) {
    if (!(e instanceof CancelledFailure)) throw e;
    throw e;
  } finally {
    clearInterval(beat);
  }
}

/** Says nothing until it is told that it is canceled. */
export async function waitsInSilence(): Promise<void> {
  begun.push(Context.current().info.workflowExecution?.workflowId ?? "");
  await Context.current().cancelled;
}

export async function askedDelay(): Promise<number> {
  if (Context.current().info.attempt === 1) throw ApplicationFailure.create({ message: "later", nextRetryDelay: "50ms" });
  return Context.current().info.attempt;
}

/** Task tokens of the attempts that somebody else is to complete, by workflow id. */
export const tokens = new Map<string, Uint8Array>();

export async function completedElsewhere(): Promise<string> {
  const { workflowExecution, taskToken } = Context.current().info;
  tokens.set(workflowExecution?.workflowId ?? "", taskToken);
  throw new CompleteAsyncError();
}

export async function failsAs(type: string): Promise<void> {
  throw ApplicationFailure.create({
    type,
    message: `a ${type}`,
    details: [{ attempt: Context.current().info.attempt }, "second"],
    cause: ApplicationFailure.create({ type: "Root", message: "the root of it" }),
  });
}

/** Reports and then says nothing more until its time is over. */
export async function reportsOnce(): Promise<void> {
  const context = Context.current();
  context.heartbeat({ progress: context.info.attempt });
  await context.cancelled.catch(() => undefined);
}

export async function whoAmI(): Promise<Record<string, unknown>> {
  const { info } = Context.current();
  return {
    activityId: info.activityId,
    activityType: info.activityType,
    attempt: info.attempt,
    workflowType: info.workflowType,
    namespace: info.namespace,
    queue: info.taskQueue,
    startToCloseMs: info.startToCloseTimeoutMs,
    scheduleToCloseMs: info.scheduleToCloseTimeoutMs,
    heartbeatMs: info.heartbeatTimeoutMs,
    priorityKey: info.priority?.priorityKey,
    fairnessKey: info.priority?.fairnessKey,
  };
}

export async function sizeOf(blob: string): Promise<number> {
  return blob.length;
}

/** Runs until it is let go. */
const gates = new Map<string, () => void>();
export const gate = { waiting: (key: string) => gates.has(key), open: (key: string) => gates.get(key)?.() };
export async function waitsAtGate(key: string): Promise<string> {
  await new Promise<void>((resolve) => gates.set(key, resolve));
  return `${key} passed`;
}

const heldBefore = new Map<string, string>();

/** Its first attempt goes on until the server says otherwise; the next one tells what it said. */
export async function holds(key: string): Promise<string> {
  const context = Context.current();
  const before = heldBefore.get(key);
  if (before !== undefined) return `attempt ${context.info.attempt} after ${before}`;
  const beat = setInterval(() => context.heartbeat("beat"), 100);
  try {
    await context.cancelled;
    return "never";
  } catch (e) {
    const details = context.cancellationDetails;
    heldBefore.set(key, details?.paused === true ? "a pause" : details?.reset === true ? "a reset" : "something else");
    throw e;
  } finally {
    clearInterval(beat);
  }
}

/** Priorities of the attempts, in the order in which they began. */
export const begun: string[] = [];

export async function ownPriority(): Promise<string> {
  const { priority } = Context.current().info;
  const text = `${priority?.priorityKey ?? ""}/${priority?.fairnessKey ?? ""}`;
  begun.push(text);
  return text;
}
