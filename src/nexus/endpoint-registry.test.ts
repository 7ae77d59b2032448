import { beforeEach, describe, expect, it } from "vitest";
import { EndpointSpec } from "../../gen/wire/temporal/api/nexus/v1/message.js";
import { SimRuntime } from "../../test/simulation/sim-runtime.js";
import { Code, unavailable } from "../api/service-error.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { MemoryStore } from "../persistence/memory/store.js";
import { NexusEndpointRegistry } from "./endpoint-registry.js";

const NAMESPACE: NamespaceView = { id: "ns-id", name: "default", key: 1, retention: 86_400_000_000, state: 1, searchAttributes: new Map() };

let store: MemoryStore;
let runtime: SimRuntime;
let isDiskFull: boolean;
beforeEach(() => {
  store = new MemoryStore();
  runtime = new SimRuntime(1);
  isDiskFull = false;
});

const open = async () =>
  new NexusEndpointRegistry({
    rows: await store.loadRegistry(),
    commit: async (batch) => {
      if (isDiskFull) throw unavailable("the disk is full");
      await store.commit(batch);
    },
    runtime,
    namespaces: () => ({
      byName: (name) => (name === NAMESPACE.name ? NAMESPACE : undefined),
      byId: (id) => (id === NAMESPACE.id ? NAMESPACE : undefined),
    }),
    limits: () => ({ nameLengthMax: 200, urlLengthMax: 100, descriptionBytesMax: 20_000, taskQueueLengthMax: 1000 }),
  });

const worker = (name: string, taskQueue = "q", namespace = "default") =>
  EndpointSpec.create({ name, target: { variant: { case: "worker", value: { namespace, taskQueue } } } });
const external = (name: string, url: string) => EndpointSpec.create({ name, target: { variant: { case: "external", value: { url } } } });
const refused = (code: Code, message: string) => expect.objectContaining({ code, message });
const names = (r: NexusEndpointRegistry) => r.list({ pageSize: 0, nextPageToken: new Uint8Array(), name: "" }).records.map((e) => e.name);

describe("an endpoint", () => {
  it("is as it was after a restart: its name, target and version, and what was deleted is gone", async () => {
    const first = await open();
    const kept = await first.create(worker("kept"));
    const gone = await first.create(external("gone", "http://there/"));
    const changed = await first.update(kept.id, 1, worker("renamed", "other"));
    await first.delete(gone.id, 1);
    const second = await open();
    expect(second.get(kept.id)).toEqual(changed);
    expect(changed).toMatchObject({ version: 2, taskQueue: "other", namespaceId: "ns-id", createdTime: kept.createdTime });
    expect([second.idOf("kept"), second.idOf("renamed"), second.idOf("gone")]).toEqual([undefined, kept.id, undefined]);
    await expect(second.update(kept.id, 1, worker("renamed"))).rejects.toEqual(
      refused(Code.FAILED_PRECONDITION, "nexus endpoint version mismatch. received: 1 expected 2"),
    );
  });

  it("has a name of its own, however closely two requests follow each other", async () => {
    const r = await open();
    const results = await Promise.allSettled([r.create(worker("same")), r.create(worker("same"))]);
    expect(results.map((x) => x.status)).toEqual(["fulfilled", "rejected"]);
    expect(names(r)).toEqual(["same"]);
    const other = await r.create(worker("other"));
    await expect(r.update(other.id, 1, worker("same"))).rejects.toThrow("Endpoint with name same already registered");
  });

  it("is not there when its row could not be written, and neither is a change", async () => {
    const r = await open();
    const before = await r.create(worker("one"));
    isDiskFull = true;
    await expect(r.create(worker("two"))).rejects.toThrow("the disk is full");
    await expect(r.update(before.id, 1, worker("three"))).rejects.toThrow("the disk is full");
    await expect(r.delete(before.id, 1)).rejects.toThrow("the disk is full");
    isDiskFull = false;
    expect([names(r), r.get(before.id)]).toEqual([["one"], before]);
    expect((await r.update(before.id, 1, worker("three"))).version).toBe(2);
  });

  it("is refused with all that is wrong with it", async () => {
    const r = await open();
    await expect(r.create(worker("1", "/_sys/q", ""))).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: expect.stringMatching(/endpoint name must match.*target namespace not set.*reserved prefix/s),
    });
    await expect(r.create(worker("name", "q", "nowhere"))).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
    await expect(r.create(EndpointSpec.create({ name: "name" }))).rejects.toThrow("empty target variant");
    expect(names(r)).toEqual([]);
  });
});

describe("a list of endpoints", () => {
  it("comes in pages that give each once, also when one of them goes in between", async () => {
    const r = await open();
    for (let i = 0; i < 7; i++) await r.create(worker(`endpoint-${i}`));
    const seen: string[] = [];
    let nextPageToken: Uint8Array = new Uint8Array();
    for (;;) {
      const page = r.list({ pageSize: 2, nextPageToken, name: "" });
      seen.push(...page.records.map((e) => e.name));
      if (page.next === "") break;
      if (seen.length === 2) await r.delete(page.next, 1);
      nextPageToken = Buffer.from(page.next);
    }
    expect(new Set(seen).size).toBe(6);
    expect(seen).toHaveLength(6);
  });
});
