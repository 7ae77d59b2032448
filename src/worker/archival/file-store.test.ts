/** test/archival/official holds what the official server (1.32.1) wrote for one run. */
import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { History } from "../../../gen/wire/temporal/api/history/v1/message.js";
import { temporaryDirectory } from "../../../test/harness/temporary-directory.js";
import { decode, EMPTY_BYTES } from "../../api/wire.js";
import type { NamespaceView } from "../../core/namespace-view.js";
import { historyJson } from "../../rpc/history-json.js";
import type { HistoryBatch } from "./archive-store.js";
import { FileArchiveStore } from "./file-store.js";
import { archivedInfo, recordFromJson, recordToJson } from "./visibility-record.js";

const OFFICIAL = join(import.meta.dirname, "../../../test/archival/official");
const RUN = {
  namespace: "archived",
  namespaceId: "8cf39e15-9ac8-408d-833d-32d3a55a60cc",
  workflowId: "the-workflow",
  runId: "01a1fd7d-f8c3-7277-8563-73099d7773e2",
};
const at = (path: string) => ({ scheme: "file", host: "", path });
const store = new FileArchiveStore(() => ({ file: 0o640, directory: 0o750 }));
const VIEW: NamespaceView = { id: RUN.namespaceId, name: "archived", key: 1, retention: 0, state: 1, searchAttributes: new Map() };

it("reads a history that the official server wrote, in pages", async () => {
  const ids: number[] = [];
  let token: Uint8Array = EMPTY_BYTES;
  let pages = 0;
  do {
    const page = await store.getHistory(at(`${OFFICIAL}/history`), RUN, 3, token);
    for (const json of page.batches) for (const e of decode(History, await historyJson.decode(json)).events) ids.push(e.eventId);
    token = page.nextPageToken;
    pages++;
  } while (token.length > 0);
  expect(ids).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  expect(pages).toBeGreaterThan(1);
  await expect(store.getHistory(at(`${OFFICIAL}/history`), { ...RUN, runId: "another" }, 3, EMPTY_BYTES)).rejects.toThrow(
    "requested workflow history does not exist",
  );
  await expect(store.getHistory(at("/no/such/place"), RUN, 3, EMPTY_BYTES)).rejects.toThrow("requested workflow history does not exist");
});

it("writes a history under the official server's name and as it wrote it", async () => {
  const directory = temporaryDirectory();
  const official = readdirSync(`${OFFICIAL}/history`)[0] ?? "";
  const json = JSON.parse(readFileSync(join(OFFICIAL, "history", official), "utf8")) as object[];
  // Through our encoding and back.
  const batches: HistoryBatch[] = [];
  for (const b of json) batches.push({ json: await historyJson.encode(await historyJson.decode(b)), firstEventId: 0, lastEventId: 0 });
  const put = () =>
    store.putHistory(
      at(`${directory}/a/b`),
      RUN,
      (async function* () {
        yield* batches;
      })(),
    );
  await put();
  await put();
  expect(readdirSync(`${directory}/a/b`)).toEqual([official]);
  expect(JSON.parse(readFileSync(`${directory}/a/b/${official}`, "utf8"))).toEqual(json);
  expect(statSync(`${directory}/a/b/${official}`).mode & 0o777).toBe(0o640);
});

it("lists what the official server wrote, and what it writes itself, newest first", async () => {
  const directory = temporaryDirectory();
  cpSync(`${OFFICIAL}/visibility`, directory, { recursive: true });
  const list = (query: string, size = 10, token: Uint8Array = EMPTY_BYTES) =>
    store.listVisibility(at(directory), RUN.namespaceId, query, size, token);
  const [record] = (await list("WorkflowId = 'the-workflow'")).records;
  if (record === undefined) throw new Error("it is not listed");
  expect(record).toMatchObject({
    ...RUN,
    workflowTypeName: "T",
    status: 2,
    historyLength: 12,
    executionDuration: 121_350,
    historyArchivalUri: "file:///archive/history",
  });
  expect(record.searchAttributes["Keyword02"]).toBe("red");
  expect(recordFromJson(recordToJson(record))).toEqual(record);
  expect(archivedInfo(record, VIEW)).toMatchObject({ execution: { workflowId: RUN.workflowId, runId: RUN.runId }, status: 2, historyLength: 12 });
  for (let i = 1; i <= 3; i++)
    await store.putVisibility(at(directory), { ...record, runId: `r${i}`, closeTime: record.closeTime + i, workflowId: "own" });
  const first = await list("", 2);
  const second = await list("", 2, first.nextPageToken);
  expect([...first.records, ...second.records].map((r) => r.runId)).toEqual(["r3", "r2", "r1", RUN.runId]);
  expect((await list("WorkflowId = 'own'")).records.length).toBe(3);
  expect((await store.listVisibility(at(directory), "another", "", 10, EMPTY_BYTES)).records).toEqual([]);
});
