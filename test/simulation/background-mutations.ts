/** Deliberate breakages of batches and of the deletion of namespaces, each of which the seeds of background.ts must catch. */
import { firstJsonOf, jsonPayloads } from "../../src/api/json-payload.js";
import type { BatchProgress } from "../../src/core/batch/job-memo.js";
import { MatchingEngine } from "../../src/matching/matching-engine.js";
import { Batcher } from "../../src/worker/batch/batcher.js";
import { InternalClient } from "../../src/worker/internal-client.js";
import { NamespaceDeletion } from "../../src/worker/namespace-deletion.js";
import { type Mutation, replace } from "./mutations.js";

// biome-ignore lint/suspicious/noExplicitAny: methods of src are replaced by name, private ones too.
type Any = any;

const PAGE_SIZE = 100;

let requests = 0;

export const BACKGROUND_MUTATIONS: readonly Mutation[] = [
  {
    name: "a batch that goes on asks under other request ids",
    begin: () =>
      replace(
        InternalClient.prototype,
        "call",
        (original) =>
          function (this: InternalClient, method: { path: string }, request: Any, ...more: Any[]) {
            const isOfBatch = method.path.endsWith("/SignalWorkflowExecution") && String(request.signalName).startsWith("job-");
            return original.call(this, method, isOfBatch ? { ...request, requestId: `other-${requests++}` } : request, ...more);
          },
      ),
  },
  {
    name: "the batches of an earlier process are forgotten",
    begin: () => replace(Batcher.prototype, "resumeAll", () => () => undefined),
  },
  {
    name: "a batch that goes on is told that its page was done",
    begin: () =>
      replace(
        Batcher.prototype,
        "work",
        (original) =>
          async function (this: Batcher, worker: Any, job: Any, token: Any, input: Any, details: Uint8Array | undefined) {
            const progress = details === undefined ? undefined : (firstJsonOf(details) as BatchProgress);
            const from = Number(Buffer.from(progress?.PageToken ?? "", "base64").toString());
            const next = Buffer.from(String(from + PAGE_SIZE)).toString("base64");
            return original.call(this, worker, job, token, input, progress && jsonPayloads({ ...progress, PageToken: next }));
          },
      ),
  },
  {
    name: "the deletions of an earlier process are forgotten",
    begin: () => replace(NamespaceDeletion.prototype, "start", () => () => undefined),
  },
  {
    name: "a deleted namespace's task queues stay",
    begin: () => replace(MatchingEngine.prototype, "forgetNamespace", () => () => []),
  },
  {
    name: "of a deleted namespace only the workflows go",
    begin: () =>
      replace(
        NamespaceDeletion.prototype,
        "deleteExecutions",
        (original) =>
          function (this: NamespaceDeletion, view: Any, archetype: number) {
            return archetype === 0 ? original.call(this, view, archetype) : Promise.resolve(true);
          },
      ),
  },
  {
    name: "the deletion of a namespace takes what stays next to it",
    begin: () =>
      replace(
        NamespaceDeletion.prototype,
        "deleteExecutions",
        (original) =>
          async function (this: Any, view: Any, archetype: number) {
            const next = this.o.namespaces.directory.byName("stays");
            if (next !== undefined) await original.call(this, next, archetype);
            return original.call(this, view, archetype);
          },
      ),
  },
];
