/** What the official server answered to the calls behind commands of the official `tdbg` (record-tdbg.ts), asked of ours. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CoreSubject } from "../conformance/core-subject.js";
import { REFERENCE } from "../conformance/records.js";
import { Session } from "../conformance/session.js";
import { AdminClient } from "./admin-call.js";
import { answerOf, prepare, STEPS } from "./tdbg-steps.js";

const record = JSON.parse(readFileSync(join(import.meta.dirname, "expected/tdbg.json"), "utf8")) as {
  reference: string;
  steps: Record<string, { output: string; answer: unknown }>;
};

it("commands of tdbg are answered as by the official server", async () => {
  expect([record.reference, Object.keys(record.steps)]).toEqual([REFERENCE, STEPS.map((s) => s.name)]);
  const subject = await CoreSubject.open();
  const admin = new AdminClient(subject);
  const names = await prepare(new Session(subject));
  const answers: Record<string, unknown> = {};
  for (const step of STEPS) answers[step.name] = JSON.parse(JSON.stringify(await answerOf(admin, step, names)));
  expect(answers).toEqual(Object.fromEntries(STEPS.map((s) => [s.name, record.steps[s.name]?.answer])));
  subject.close();
});
