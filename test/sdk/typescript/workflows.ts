/** Workflows of the SDK suite: each uses one capability of the server that no other one uses. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";

interface Activities {
  echo(value: string): Promise<string>;
  failTimes(key: string, times: number): Promise<number>;
  failHard(): Promise<void>;
  slow(): Promise<string>;
  beats(): Promise<number>;
  waitsForCancel(): Promise<string>;
  askedDelay(): Promise<number>;
}
const quick = wf.proxyActivities<Activities>({ startToCloseTimeout: "10s", retry: { initialInterval: "10ms", maximumInterval: "50ms" } });

export async function activityOnce(v: string): Promise<string> {
  return quick.echo(v);
}

export async function activitiesInParallel(n: number): Promise<number> {
  const all = await Promise.all(Array.from({ length: n }, (_, i) => quick.echo(String(i))));
  return all.length;
}

export async function activityRetried(): Promise<number> {
  return quick.failTimes(wf.workflowInfo().workflowId, 3);
}

export async function activityNotRetryable(): Promise<string> {
  try {
    await quick.failHard();
    return "no failure";
  } catch (e) {
    const cause = (e as wf.ActivityFailure).cause as wf.ApplicationFailure;
    return `${cause.type}:${cause.nonRetryable}`;
  }
}

export async function activityStartToClose(): Promise<string> {
  const once = wf.proxyActivities<Activities>({ startToCloseTimeout: "300ms", retry: { maximumAttempts: 1 } });
  try {
    await once.slow();
    return "no timeout";
  } catch (e) {
    return String(((e as wf.ActivityFailure).cause as wf.TimeoutFailure).timeoutType);
  }
}

export async function activityScheduleToStart(): Promise<string> {
  const nobody = wf.proxyActivities<Activities>({ taskQueue: "nobody-polls-this", scheduleToStartTimeout: "300ms", startToCloseTimeout: "10s" });
  try {
    await nobody.slow();
    return "no timeout";
  } catch (e) {
    return String(((e as wf.ActivityFailure).cause as wf.TimeoutFailure).timeoutType);
  }
}

export async function activityHeartbeat(): Promise<number> {
  const beating = wf.proxyActivities<Activities>({ startToCloseTimeout: "30s", heartbeatTimeout: "800ms", retry: { initialInterval: "10ms" } });
  return beating.beats();
}

export async function activityCanceled(): Promise<string> {
  const cancellable = wf.proxyActivities<Activities>({
    startToCloseTimeout: "30s",
    heartbeatTimeout: "2s",
    cancellationType: wf.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
  try {
    await wf.CancellationScope.cancellable(async () => {
      const p = cancellable.waitsForCancel();
      await wf.sleep(300);
      wf.CancellationScope.current().cancel();
      await p;
    });
    return "not canceled";
  } catch (e) {
    return wf.isCancellation(e) ? "canceled" : String(e);
  }
}

export async function activityDelayAsked(): Promise<number> {
  const patient = wf.proxyActivities<Activities>({ startToCloseTimeout: "10s", retry: { initialInterval: "1h" } });
  return patient.askedDelay();
}

export async function localActivity(v: string): Promise<string> {
  const local = wf.proxyLocalActivities<Activities>({ startToCloseTimeout: "5s" });
  return local.echo(v);
}

export async function timers(): Promise<number> {
  let n = 0;
  for (let i = 0; i < 3; i++) {
    await wf.sleep(20);
    n++;
  }
  return n;
}

export async function timerCanceled(): Promise<string> {
  const scope = new wf.CancellationScope();
  const p = scope.run(() => wf.sleep("1h")).catch((e) => (wf.isCancellation(e) ? "canceled" : "other"));
  await wf.sleep(10);
  scope.cancel();
  return (await p) as string;
}

export const addSignal = wf.defineSignal<[string]>("add");
export const endSignal = wf.defineSignal("end");
export const soFar = wf.defineQuery<string[]>("soFar");

export async function collector(): Promise<string[]> {
  const got: string[] = [];
  let ended = false;
  wf.setHandler(addSignal, (s) => void got.push(s));
  wf.setHandler(endSignal, () => {
    ended = true;
  });
  wf.setHandler(soFar, () => got);
  await wf.condition(() => ended);
  return got;
}

export async function childParent(how: "completes" | "fails" | "abandoned"): Promise<string> {
  if (how === "abandoned") {
    const child = await wf.startChild(collector, { workflowId: `${wf.workflowInfo().workflowId}-child`, parentClosePolicy: "ABANDON" });
    return child.firstExecutionRunId;
  }
  try {
    return await wf.executeChild(childWorkflow, { args: [how], workflowId: `${wf.workflowInfo().workflowId}-child` });
  } catch (e) {
    return ((e as wf.ChildWorkflowFailure).cause as Error).message;
  }
}

export async function childWorkflow(how: string): Promise<string> {
  if (how === "fails") throw wf.ApplicationFailure.nonRetryable("child failed");
  return `child of ${wf.workflowInfo().parent?.workflowId}`;
}

export async function childTerminatedWithParent(): Promise<void> {
  await wf.startChild(collector, { workflowId: `${wf.workflowInfo().workflowId}-child`, parentClosePolicy: "TERMINATE" });
}

export async function childAlreadyStarted(id: string): Promise<string> {
  try {
    await wf.startChild(collector, { workflowId: id });
    return "started";
  } catch (e) {
    return (e as Error).name;
  }
}

export async function signalsOther(target: string): Promise<string> {
  const handle = wf.getExternalWorkflowHandle(target);
  try {
    await handle.signal(addSignal, "from another");
    await handle.signal(endSignal);
    return "signaled";
  } catch (e) {
    return (e as Error).name;
  }
}

export async function cancelsOther(target: string): Promise<string> {
  try {
    await wf.getExternalWorkflowHandle(target).cancel();
    return "asked";
  } catch (e) {
    return (e as Error).name;
  }
}

export async function untilCanceled(): Promise<string> {
  try {
    await wf.sleep("1h");
    return "slept";
  } catch (e) {
    if (!wf.isCancellation(e)) throw e;
    return wf.CancellationScope.nonCancellable(() => quick.echo("cleaned up"));
  }
}

export async function cancelPropagates(): Promise<void> {
  await wf.sleep("1h");
}

export async function continues(n: number): Promise<number> {
  if (n > 0) await wf.continueAsNew<typeof continues>(n - 1);
  return wf.workflowInfo().continuedFromExecutionRunId === undefined ? -1 : n;
}

export async function workflowRetried(): Promise<number> {
  if (wf.workflowInfo().attempt < 3) throw wf.ApplicationFailure.retryable(`attempt ${wf.workflowInfo().attempt}`);
  return wf.workflowInfo().attempt;
}

export async function alwaysFails(): Promise<void> {
  throw wf.ApplicationFailure.nonRetryable("as intended", "Intended", { detail: 1 });
}

export async function upserts(): Promise<void> {
  wf.upsertSearchAttributes({ CustomKeywordField: ["later"] });
  wf.upsertMemo({ note: "later", first: null });
}

export async function patched(): Promise<boolean> {
  return wf.patched("a-change");
}

export async function taskFailsFirst(): Promise<string> {
  // The first attempts of the first workflow task fail, so that a transient one follows.
  if (
    wf.workflowInfo().historyLength <= 3 &&
    !wf.workflowInfo().unsafe.isReplaying &&
    wf.workflowInfo().unsafe.now() < wf.workflowInfo().startTime.getTime() + 1500
  )
    throw new Error("not yet");
  return "at last";
}

export async function blocked(): Promise<void> {
  await wf.condition(() => false);
}

export async function cronOnce(): Promise<string> {
  return wf.workflowInfo().lastResult === undefined ? "first" : `after ${wf.workflowInfo().lastResult as string}`;
}
