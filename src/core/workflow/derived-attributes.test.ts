/** What the server keeps of the builds that have run a workflow which no version concerns. */
import { beforeEach, expect, it } from "vitest";
import { Payload } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { CoreWorld } from "../../../test/harness/core-world.js";
import { decode } from "../../api/wire.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
  world.start();
});

const kept = (name: string): unknown => {
  const payload = world.run("w").searchAttributes?.indexedFields[name];
  return payload === undefined ? undefined : JSON.parse(Buffer.from(decode(Payload, payload).data).toString());
};
/** The next workflow task is completed by a worker of a build. */
function taskBy(buildId: string, binaryChecksum = ""): void {
  world.answer([], { workerVersionStamp: { buildId, useVersioning: false }, binaryChecksum });
  world.signal("s");
}

it("nothing before a worker has completed a task", () => {
  expect(kept("BuildIds")).toBeUndefined();
});

it("a worker that does not name its build is unversioned", () => {
  world.answer();
  expect(kept("BuildIds")).toEqual(["unversioned"]);
  expect(kept("BinaryChecksums")).toBeUndefined();
});

it("each build once, in the order of their first tasks", () => {
  for (const build of ["one", "two", "one", "one"]) taskBy(build);
  expect(kept("BuildIds")).toEqual(["unversioned", "unversioned:one", "unversioned:two"]);
});

it("a task of the build of the last one leaves the lists alone", () => {
  taskBy("one");
  const written = world.visibilityRows.length;
  taskBy("one");
  expect(world.visibilityRows).toHaveLength(written);
  taskBy("two");
  expect(world.visibilityRows).toHaveLength(written + 1);
});

it("checksums of older workers, as the reset points have them", () => {
  taskBy("", "one");
  taskBy("", "two");
  taskBy("", "one");
  expect(kept("BinaryChecksums")).toEqual(["one", "two"]);
});
