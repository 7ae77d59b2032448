import { ApplicationFailure, CancelledFailure, Context } from "@temporalio/activity";

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
    await new Promise((resolve) => setTimeout(resolve, 1200));
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

export async function askedDelay(): Promise<number> {
  if (Context.current().info.attempt === 1) throw ApplicationFailure.create({ message: "later", nextRetryDelay: "50ms" });
  return Context.current().info.attempt;
}
