import { expect, test } from "vitest";
import { TaskToken } from "../../../gen/wire/perdure/persistence/v1/token.js";
import { Command } from "../../../gen/wire/temporal/api/command/v1/message.js";
import { CommandType } from "../../../gen/wire/temporal/api/enums/v1/command_type.js";
import { RespondWorkflowTaskCompletedRequest } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { ServiceError } from "../../api/service-error.js";
import { encode } from "../../api/wire.js";
import { defaultConfig } from "../../config/dynamic-config.js";
import { FakeRuntime } from "../../lib/fake-runtime.js";
import { type RequestLimits, requestLimits } from "../request-limits.js";
import { CompletionPages } from "./completion-pages.js";

const marker = (markerName: string) =>
  ({
    commandType: CommandType.RECORD_MARKER,
    attributes: { case: "recordMarkerCommandAttributes", value: { markerName } },
  }) as never;
const LIMITS = requestLimits(defaultConfig().limits);
/** Bytes of a page here. */
const one = encode(Command, marker("0")).length;
const limits = (more: Partial<RequestLimits> = {}): RequestLimits => ({ ...LIMITS, ...more });
const task = (runId: string, namespaceId = "n", attempt = 1): TaskToken => TaskToken.create({ namespaceId, runId, scheduledEventId: 2, attempt });
const page = (pageNumber: number, name = `${pageNumber}`) =>
  RespondWorkflowTaskCompletedRequest.create({ pageNumber, intermediatePage: true, commands: [marker(name)] });
const last = (pageNumber: number) => RespondWorkflowTaskCompletedRequest.create({ pageNumber });
const names = (commands: readonly { attributes: unknown }[]) =>
  commands.map(({ attributes }) => (attributes as { value: { markerName: string } }).value.markerName);
const error = (f: () => unknown): [number, string] => {
  try {
    f();
  } catch (e) {
    const { code, message } = e as ServiceError;
    return [code, message];
  }
  return [0, ""];
};
const LOST = 10;

test("pages of two runs do not mix", () => {
  const pages = new CompletionPages(new FakeRuntime());
  for (const run of ["a", "b"]) for (const n of [1, 0]) expect(pages.keep(task(run), page(n, `${run}${n}`), 1000, limits())).toBe("kept");
  expect(names(pages.take(task("a"), last(2)))).toEqual(["a0", "a1"]);
  expect(names(pages.take(task("b"), last(2)))).toEqual(["b0", "b1"]);
});

test("a page of more commands than a call has arguments is taken like any other", () => {
  const pages = new CompletionPages(new FakeRuntime());
  const commands = new Array(200_000).fill(marker("many"));
  pages.keep(task("a"), RespondWorkflowTaskCompletedRequest.create({ intermediatePage: true, commands }), 1000, limits());
  const taken = pages.take(task("a"), RespondWorkflowTaskCompletedRequest.create({ pageNumber: 1, commands: [marker("last")] }));
  expect(taken).toHaveLength(200_001);
  expect(names(taken.slice(-1))).toEqual(["last"]);
});

test("pages go with their task, when its time is up or the next attempt sends some", async () => {
  const runtime = new FakeRuntime();
  const pages = new CompletionPages(runtime);
  pages.keep(task("a"), page(0), 1000, limits());
  await runtime.advance(1001);
  expect(error(() => pages.take(task("a"), last(1)))[0]).toBe(LOST);
  pages.keep(task("a"), page(0), 1000, limits());
  pages.keep(task("a", "n", 2), page(0, "again"), 1000, limits());
  expect(error(() => pages.take(task("a"), last(1)))[0]).toBe(LOST);
});

test("pages of one task that grow too large are forgotten, and the room of all is given back", () => {
  const pages = new CompletionPages(new FakeRuntime());
  const tight = limits({ workflowTaskCompletionSizeMax: 2 * one, completionPagesTotalMax: 2 * one, completionPagesNamespaceShare: 1 });
  for (let round = 0; round < 5; round++) {
    expect([0, 1, 2].map((n) => pages.keep(task("a"), page(n), 1000, tight))).toEqual(["kept", "kept", "too large"]);
    expect(error(() => pages.take(task("a"), last(1)))[0]).toBe(LOST);
  }
});

test("a namespace takes no more than its share of the server's room, so that others have some", () => {
  const pages = new CompletionPages(new FakeRuntime());
  const shared = limits({ completionPagesTotalMax: 4 * one, completionPagesNamespaceShare: 0.5 });
  expect(pages.keep(task("a"), page(0), 1000, shared)).toBe("kept");
  expect(pages.keep(task("b"), page(0), 1000, shared)).toBe("kept");
  const [code, message] = error(() => pages.keep(task("c"), page(0), 1000, shared));
  expect([code, message]).toEqual([LOST, "workflow task completion buffer memory limit reached while buffering page 0"]);
  expect(pages.keep(task("d", "other"), page(0), 1000, shared)).toBe("kept");
  expect(names(pages.take(task("b"), last(1)))).toEqual(["0"]);
  expect(pages.keep(task("c"), page(0), 1000, shared)).toBe("kept");
});
