import { beforeEach, describe, expect, it } from "vitest";
import { Payload } from "../../../../gen/wire/temporal/api/common/v1/message.js";
import { IndexedValueType } from "../../../../gen/wire/temporal/api/enums/v1/common.js";
import * as c from "../../../../test/harness/core-commands.js";
import { CoreWorld } from "../../../../test/harness/core-world.js";
import { decode } from "../../../api/wire.js";

let world: CoreWorld;
beforeEach(() => {
  world = new CoreWorld();
  world.searchAttributes.set("Customer", { id: 1, type: IndexedValueType.KEYWORD });
  world.searchAttributes.set("Amount", { id: 2, type: IndexedValueType.INT });
});

const text = (bytes: Uint8Array | undefined) => Buffer.from(decode(Payload, bytes ?? new Uint8Array(0)).data).toString();
const stored = () => world.run("w").searchAttributes?.indexedFields ?? {};
/** As text, without what the server keeps of the worker's build. */
const storedTexts = () => Object.fromEntries(Object.entries(stored()).flatMap(([k, v]) => (k === "BuildIds" ? [] : [[k, text(v)]])));

describe("search attributes of a running workflow", () => {
  it("are written with their type, and stored beside those that it has", () => {
    world.running([c.searchAttributes({ Customer: "ann" })], { searchAttributes: { indexedFields: { Amount: c.payload(1) } } });
    const written = world.last("upsertWorkflowSearchAttributesEventAttributes").searchAttributes?.indexedFields["Customer"];
    expect(text(written)).toBe('"ann"');
    expect(Buffer.from(decode(Payload, written as Uint8Array).metadata["type"] ?? "").toString()).toBe("Keyword");
    expect(storedTexts()).toEqual({ Amount: "1", Customer: '"ann"' });
  });

  it("replace those of the same name, and null takes one away", () => {
    world.running([c.searchAttributes({ Customer: "ann", Amount: 3 })]);
    world.signal("s");
    world.answer([c.searchAttributes({ Customer: "bob", Amount: null })]);
    expect(storedTexts()).toEqual({ Customer: '"bob"' });
  });

  it("change the row that lists show in the same transition", () => {
    world.running();
    world.signal("s");
    const task = world.task();
    const written = world.visibilityRows.length;
    world.complete(task, [c.searchAttributes({ Customer: "ann" })]);
    expect(world.visibilityRows).toHaveLength(written + 1);
    expect(world.visibilityRows.at(-1)).toMatchObject({
      workflowId: "w",
      attributes: expect.arrayContaining([{ id: 1, type: IndexedValueType.KEYWORD, value: "ann" }]),
    });
  });

  it("do not wake the workflow that set them", () => {
    world.running([c.searchAttributes({ Customer: "ann" })]);
    expect(world.takeWorkflowTask()).toBeUndefined();
  });

  it("of the wrong type are refused", () => {
    world.start();
    expect(world.answer([c.searchAttributes({ Amount: "many" })]).refused?.message).toMatch(/^BadSearchAttributes: /);
    expect(world.run("w").searchAttributes).toBeUndefined();
  });
});
