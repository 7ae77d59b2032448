/** What the audit says, and how often where it goes to the log. */
import { expect, it } from "vitest";
import type { Call } from "../api/call.js";
import { FakeRuntime } from "../lib/fake-runtime.js";
import { AuditLog, type AuditRecord } from "./audit.js";

const CALL = {
  path: "/s/M",
  peer: "10.0.0.7:1",
  identity: { kind: "key", id: "k", subject: "name", keyId: "k", access: {} as never, expireTime: undefined },
  metadata: () => "Bearer pdk_secret",
} as unknown as Call;

function logged(): { lines: [string, object][]; logger: never } {
  const lines: [string, object][] = [];
  const at = (level: string) => (fields: object) => lines.push([level, fields]);
  return { lines, logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") } as never };
}

it("writes each record, with who and what and nothing that is secret", () => {
  const runtime = new FakeRuntime();
  const records: AuditRecord[] = [];
  const { lines, logger } = logged();
  const audit = new AuditLog(runtime, logger, (r) => records.push(r));
  for (let i = 0; i < 50; i++) audit.denied({ ...CALL, identity: undefined } as Call, undefined, "UNAUTHENTICATED");
  audit.administrative(CALL, "one", "OK");
  expect(records).toHaveLength(51);
  expect(records[0]).toEqual({ time: "2027-01-15T08:00:00.000Z", event: "denied", method: "/s/M", code: "UNAUTHENTICATED", peer: "10.0.0.7:1" });
  expect(records[50]).toEqual({
    time: "2027-01-15T08:00:00.000Z",
    event: "administrative",
    method: "/s/M",
    namespace: "one",
    code: "OK",
    principal: { kind: "key", id: "k", subject: "name", key: "k" },
    peer: "10.0.0.7:1",
  });
  expect(JSON.stringify(records)).not.toContain("secret");
  expect(lines).toEqual([]);
});

it("goes to the log without a file: ten refusals a second, the others counted, administrative calls each", () => {
  const runtime = new FakeRuntime();
  const { lines, logger } = logged();
  const audit = new AuditLog(runtime, logger);
  for (let i = 0; i < 25; i++) audit.denied(CALL, "one", "PERMISSION_DENIED");
  for (let i = 0; i < 12; i++) audit.administrative(CALL, "one", "OK");
  expect([lines.filter(([l]) => l === "warn").length, lines.filter(([l]) => l === "info").length]).toEqual([10, 12]);
  runtime.elapse(1000);
  audit.denied(CALL, "one", "PERMISSION_DENIED");
  expect(lines.slice(22)).toEqual([
    ["warn", { count: 15 }],
    ["warn", expect.objectContaining({ code: "PERMISSION_DENIED" })],
  ]);
});
