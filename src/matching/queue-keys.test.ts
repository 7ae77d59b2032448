import { expect, it } from "vitest";
import { Batch } from "../persistence/batch.js";
import { QUEUE_REGISTRY_KIND, QueueKeys, type QueueName, queueId } from "./queue-keys.js";

const queue: QueueName = { namespaceId: "n", namespaceKey: 1, name: "q", type: "activity", isSticky: false };
const id = queueId(queue);
const records = (batch: Batch) =>
  [...(batch.registry.get(QUEUE_REGISTRY_KIND) ?? [])].flatMap(([name, r]) => (r.write.op === "delete" ? [] : [{ id: name, value: r.write.value }]));

it("writes the record with every batch until one that holds it is durable", () => {
  const keys = new QueueKeys([]);
  const [a, b, c] = [new Batch(), new Batch(), new Batch()];
  keys.nextTask(id, queue, a);
  keys.nextTask(id, queue, a);
  keys.nextTask(id, queue, b);
  expect([records(a).length, records(b).length]).toEqual([1, 1]);
  keys.settled(a, false);
  keys.settled(b, true);
  keys.nextTask(id, queue, c);
  expect(records(c)).toEqual([]);
});

it("gives ascending ids over restarts and no key twice", () => {
  const first = new QueueKeys([]);
  const batch = new Batch();
  const ids = [1, 2, 3].map(() => first.nextTask(id, queue, batch).taskId);
  const second = new QueueKeys(records(batch));
  const later = new Batch();
  const next = second.nextTask(id, queue, later);
  expect(next.taskId).toBeGreaterThan(Math.max(...ids));
  expect(next.key.key).toBe(first.find(id)?.key);
  expect(records(later)).toHaveLength(1);
  const other = { ...queue, name: "other" };
  expect(second.nextTask(queueId(other), other, later).key.key).toBe(2);
  expect(ids).toEqual([...ids].sort((x, y) => x - y));
});

it("deletes the record of a forgotten queue with the next durable batch", () => {
  const keys = new QueueKeys([]);
  const sticky: QueueName = { ...queue, type: "workflow", name: "s", isSticky: true };
  const a = new Batch();
  keys.nextTask(queueId(sticky), sticky, a);
  keys.settled(a, true);
  keys.forget(queueId(sticky));
  const [b, c] = [new Batch(), new Batch()];
  keys.nextTask(id, queue, b);
  expect(b.registry.get(QUEUE_REGISTRY_KIND)?.get(queueId(sticky))?.write.op).toBe("delete");
  keys.settled(b, false);
  keys.nextTask(id, queue, c);
  expect(c.registry.get(QUEUE_REGISTRY_KIND)?.get(queueId(sticky))?.write.op).toBe("delete");
  expect(keys.find(queueId(sticky))).toBeUndefined();
});
