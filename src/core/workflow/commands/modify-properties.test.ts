import { describe, expect, it } from "vitest";
import { Payload } from "../../../../gen/wire/temporal/api/common/v1/message.js";
import * as c from "../../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../../test/harness/core-world.js";
import { decode } from "../../../api/wire.js";

const text = (bytes: Uint8Array) => Buffer.from(decode(Payload, bytes).data).toString();

describe("a memo of a running workflow", () => {
  it("is merged field by field, and null takes one away", () => {
    const world = new CoreWorld();
    world.running([c.memo({ a: 1, b: 2 })], { memo: { fields: { a: c.payload(0), z: c.payload(9) } } });
    world.signal("s");
    world.answer([c.memo({ b: null, c: 3 })]);
    const fields = world.run("w").memo?.fields ?? {};
    expect(Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, text(v)]))).toEqual({ a: "1", c: "3", z: "9" });
    expect(world.visibilityRows.at(-1)?.memo.length).toBeGreaterThan(0);
  });

  it("is written as the command gave it", () => {
    const world = new CoreWorld();
    world.running([c.memo({ a: null })]);
    expect(world.last("workflowPropertiesModifiedEventAttributes")).toMatchObject({
      workflowTaskCompletedEventId: 4,
      upsertedMemo: { fields: { a: c.payload(null) } },
    });
  });
});
