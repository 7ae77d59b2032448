import { describe, expect, it } from "vitest";
import { CloudOperationRecord } from "../../gen/wire/perdure/persistence/v1/cloud.js";
import { encode } from "../api/wire.js";
import { OPERATION_REGISTRY_KIND } from "./draft.js";
import { OPERATIONS_MAX, Operations } from "./operations.js";

const row = (id: string, startedTime: number, finishedTime = startedTime) => ({
  ...{ kind: OPERATION_REGISTRY_KIND, id, version: 1 },
  value: encode(CloudOperationRecord, { startedTime, finishedTime }),
});

describe("operations", () => {
  it("are kept in the order of their times, whatever that of the rows is", () => {
    const operations = new Operations([row("c", 3), row("a", 1), row("b2", 2), row("b1", 2), { ...row("x", 0), kind: "other" }]);
    expect(operations.all().map((o) => o.id)).toEqual(["a", "b1", "b2", "c"]);
  });

  it("make room for one more: the oldest goes, unless it is not finished", () => {
    const rows = Array.from({ length: OPERATIONS_MAX }, (_, i) => row(String(i), i + 1, i === 0 ? 0 : i + 1));
    const operations = new Operations(rows);
    expect(operations.tooMany()).toEqual(["1"]);
    operations.remove(["1"]);
    expect(operations.tooMany()).toEqual([]);
  });
});
