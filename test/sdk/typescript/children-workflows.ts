/** Workflows of children.test.ts: parents, children and strangers that signal and cancel each other. Runs in the SDK's sandbox. */
import * as wf from "@temporalio/workflow";

export const tell = wf.defineSignal<[string]>("tell");
export const stop = wf.defineSignal("stop");

const childId = (suffix = "child") => `${wf.workflowInfo().workflowId}-${suffix}`;
const causeOf = (e: unknown) => (e as wf.ChildWorkflowFailure).cause as wf.ApplicationFailure & wf.TimeoutFailure;

/** A child of most of the parents below: ends when told to, or as canceled. */
export async function listens(): Promise<string[]> {
  const heard: string[] = [];
  let stopped = false;
  wf.setHandler(tell, (word) => void heard.push(word));
  wf.setHandler(stop, () => {
    stopped = true;
  });
  await wf.condition(() => stopped);
  return heard;
}

export async function tellsChild(): Promise<string[]> {
  const child = await wf.startChild(listens, { workflowId: childId() });
  await child.signal(tell, "one");
  await child.signal(tell, "two");
  await child.signal(stop);
  return child.result();
}

/** What the parent sees of a child that it cancels. */
export async function cancelsChild(cancellationType: "WAIT_CANCELLATION_COMPLETED" | "WAIT_CANCELLATION_REQUESTED" | "TRY_CANCEL"): Promise<string> {
  const scope = new wf.CancellationScope();
  const started = new Promise<wf.ChildWorkflowHandle<typeof tidiesUp>>((resolve, reject) => {
    scope.run(() => wf.startChild(tidiesUp, { workflowId: childId(), cancellationType }).then(resolve, reject)).catch(reject);
  });
  const child = await started;
  scope.cancel();
  try {
    await child.result();
    return "completed";
  } catch (e) {
    return `${(e as Error).name}: ${causeOf(e).name}`;
  }
}

/** Canceled, takes a moment, and ends as canceled. */
export async function tidiesUp(): Promise<void> {
  try {
    await wf.sleep("1h");
  } finally {
    await wf.CancellationScope.nonCancellable(() => wf.sleep(20));
  }
}

export async function cancelsChildOfAbandon(): Promise<string> {
  const scope = new wf.CancellationScope();
  const child = await scope.run(() => wf.startChild(listens, { workflowId: childId(), cancellationType: "ABANDON", parentClosePolicy: "ABANDON" }));
  scope.cancel();
  try {
    await child.result();
    return "completed";
  } catch (e) {
    return (e as Error).name;
  }
}

export async function closesWith(policy: "REQUEST_CANCEL" | "ABANDON" | "TERMINATE"): Promise<void> {
  await wf.startChild(tidiesUp, { workflowId: childId(), parentClosePolicy: policy });
}

export async function startsGrandchild(): Promise<void> {
  await wf.startChild(tidiesUp, { workflowId: childId() });
  await wf.sleep("1h");
}

export async function startsChildThatStarts(): Promise<void> {
  await wf.executeChild(startsGrandchild, { workflowId: childId() });
}

export async function third(): Promise<number> {
  const { attempt } = wf.workflowInfo();
  if (attempt < 3) throw wf.ApplicationFailure.retryable(`attempt ${attempt}`);
  return attempt;
}

export async function childRetried(): Promise<number> {
  return wf.executeChild(third, { workflowId: childId(), retry: { initialInterval: "10ms", maximumAttempts: 5 } });
}

export async function childTimesOut(): Promise<string> {
  try {
    await wf.executeChild(listens, { workflowId: childId(), workflowRunTimeout: "300ms" });
    return "completed";
  } catch (e) {
    return `${causeOf(e).name} ${causeOf(e).timeoutType}`;
  }
}

export async function childTerminated(): Promise<string> {
  try {
    await wf.executeChild(listens, { workflowId: childId() });
    return "completed";
  } catch (e) {
    return causeOf(e).name;
  }
}

export async function countsDown(n: number): Promise<string> {
  if (n > 0) await wf.continueAsNew<typeof countsDown>(n - 1);
  return `counted by ${wf.workflowInfo().parent?.workflowId}`;
}

export async function childContinues(): Promise<string> {
  return wf.executeChild(countsDown, { args: [2], workflowId: childId() });
}

export async function childOnce(n: number): Promise<number> {
  return n * n;
}

export async function manyChildren(n: number): Promise<number> {
  const all = await Promise.all(Array.from({ length: n }, (_, i) => wf.executeChild(childOnce, { args: [i], workflowId: childId(`${i}`) })));
  return all.reduce((a, b) => a + b, 0);
}

export async function childIdUsedUp(): Promise<string> {
  await wf.executeChild(childOnce, { args: [1], workflowId: childId() });
  try {
    await wf.executeChild(childOnce, { args: [2], workflowId: childId(), workflowIdReusePolicy: "REJECT_DUPLICATE" });
    return "started";
  } catch (e) {
    return (e as Error).name;
  }
}

/** What a child is told of where it comes from. */
export async function tellsOfParent(): Promise<unknown> {
  const { parent, root, memo, searchAttributes, taskQueue, priority } = wf.workflowInfo();
  return {
    parent: parent?.workflowId,
    root: root?.workflowId,
    memo,
    word: (searchAttributes["CustomKeywordField"] as string[])?.[0],
    queue: taskQueue === wf.workflowInfo().taskQueue,
    priority: priority?.priorityKey,
  };
}

export async function childWithEverything(): Promise<unknown> {
  return wf.executeChild(tellsOfParent, {
    workflowId: childId(),
    memo: { a: [1, 2] },
    searchAttributes: { CustomKeywordField: ["of a child"] },
    priority: { priorityKey: 4 },
    staticSummary: "a summary",
  });
}

export async function signalsNobody(): Promise<string> {
  try {
    await wf.getExternalWorkflowHandle("nobody-by-this-name").signal(tell, "hello?");
    return "told";
  } catch (e) {
    return (e as Error).message;
  }
}

export async function cancelsNobody(): Promise<string> {
  try {
    await wf.getExternalWorkflowHandle("nobody-by-this-name").cancel();
    return "asked";
  } catch (e) {
    return (e as Error).message;
  }
}

export async function signalsWrongRun(id: string): Promise<string> {
  try {
    await wf.getExternalWorkflowHandle(id, "11111111-2222-4333-8444-555555555555").signal(tell, "wrong run");
    return "told";
  } catch (e) {
    return (e as Error).message;
  }
}

/** Two that answer each other until one has had enough. */
export async function pingPong(other: string, serves: boolean, rounds: number): Promise<number> {
  let got = 0;
  let answered = 0;
  wf.setHandler(tell, () => {
    got++;
  });
  const peer = wf.getExternalWorkflowHandle(other);
  if (serves) await peer.signal(tell, "serve");
  while (got < rounds) {
    await wf.condition(() => got > answered);
    answered++;
    if (!serves || answered < rounds) await peer.signal(tell, `back ${answered}`);
  }
  return got;
}
