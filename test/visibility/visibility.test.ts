/** Lists and counts of a real server: as many attributes as there may be, groups by every field, and no row that is not there yet. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { IndexedValueType as T } from "../../gen/wire/temporal/api/enums/v1/common.js";
import { decode, encode } from "../../src/api/wire.js";
import { PREDEFINED, SYSTEM, TYPE_NAME } from "../../src/core/visibility/attributes.js";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { command as c, Session, seconds } from "../conformance/session.js";
import { type ServerProcess, startServer, temporaryDirectory } from "../harness/server-process.js";

const json = (value: unknown) => encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from(JSON.stringify(value)) });
const TYPES = [T.TEXT, T.KEYWORD, T.INT, T.DOUBLE, T.BOOL, T.DATETIME, T.KEYWORD_LIST] as const;
const COUNT = 100;
const nameOf = (type: number, n: number): string => `My${TYPE_NAME[type]}${n}`;

const file = join(temporaryDirectory(), "visibility.db");
let server: ServerProcess;
let subject: GrpcSubject;
let s: Session;
const begin = async (): Promise<void> => {
  server = await startServer(["--db-filename", file]);
  subject = new GrpcSubject(server.address);
  s = new Session(subject);
};
const end = async (): Promise<void> => {
  subject.close();
  const exited = new Promise((resolve) => server.child.once("exit", resolve));
  server.child.kill("SIGKILL");
  await exited;
};
beforeAll(begin);
afterAll(end);

type Groups = { groups: { groupValues: Uint8Array[]; count: number }[]; count: number };
const groupsOf = ({ groups }: Groups) =>
  groups.map((g) => {
    const p = decode(Payload, g.groupValues[0] as Uint8Array);
    return [JSON.parse(Buffer.from(p.data).toString()), g.count, Buffer.from(p.metadata["type"] ?? []).toString()];
  });

describe("a hundred custom attributes of each type", () => {
  const VALUES: Record<number, readonly [low: unknown, high: unknown, lowAsked: string]> = {
    [T.TEXT]: ["first words", "other things", "= 'first'"],
    [T.KEYWORD]: ["a", "b", "= 'a'"],
    [T.INT]: [1, 2, "< 2"],
    [T.DOUBLE]: [0.5, 1.5, "<= 0.5"],
    [T.BOOL]: [false, true, "= false"],
    [T.DATETIME]: ["2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z", "< '2020-06-01T00:00:00Z'"],
    [T.KEYWORD_LIST]: [["x", "y"], ["z"], "IN ('y', 'no')"],
  };

  it("are added; one more is refused by the name of the setting", async () => {
    for (const type of TYPES) {
      const searchAttributes = Object.fromEntries(Array.from({ length: COUNT }, (_, i) => [nameOf(type, i + 1), type]));
      await s.call("AddSearchAttributes", { searchAttributes });
      await expect(s.call("AddSearchAttributes", { searchAttributes: { [nameOf(type, COUNT + 1)]: type } })).rejects.toThrow(
        `cannot have more than ${COUNT} search attribute of type ${TYPE_NAME[type]}. The limit is set by system.searchAttributesPerTypeMax.`,
      );
    }
    expect(Object.keys((await s.call("ListSearchAttributes", {})).customAttributes)).toHaveLength(COUNT * TYPES.length);
  });

  it("the first and the last are set, asked for, sorted by and grouped by, by what was acknowledged a moment ago", async () => {
    for (const n of [1, COUNT])
      for (const [i, of] of [0, 1].entries())
        await s.start({
          workflowId: `of-${n}-${i}`,
          workflowType: { name: `Of${n}` },
          searchAttributes: { indexedFields: Object.fromEntries(TYPES.map((type) => [nameOf(type, n), json(VALUES[type]?.[of])])) },
        });
    await s.start({ workflowId: "without", workflowType: { name: "Of0" } });
    await check();
  });

  it("and so they are after a kill", async () => {
    await end();
    await begin();
    await check();
    await expect(s.call("AddSearchAttributes", { searchAttributes: { OneMore: T.INT } })).rejects.toThrow("cannot have more than 100");
  });

  async function check(): Promise<void> {
    const list = async (query: string) => (await s.call("ListWorkflowExecutions", { query })).executions.map((e) => e.execution?.workflowId);
    for (const n of [1, COUNT])
      for (const type of TYPES) {
        const name = nameOf(type, n);
        const asked = VALUES[type]?.[2];
        expect(await list(`${name} ${asked}`), name).toEqual([`of-${n}-0`]);
        expect(await list(`${name} IS NOT NULL AND NOT ${name} ${asked}`), name).toEqual([`of-${n}-1`]);
        const among = `WorkflowType IN ('Of${n}', 'Of0')`;
        if (type === T.TEXT || type === T.KEYWORD_LIST)
          await expect(list(`${among} ORDER BY ${name}`)).rejects.toThrow(`unable to sort by search attribute type ${TYPE_NAME[type]}`);
        else {
          expect(await list(`${among} ORDER BY ${name}`), name).toEqual([`of-${n}-0`, `of-${n}-1`, "without"]);
          expect(await list(`${among} ORDER BY WorkflowType DESC, ${name} DESC`), name).toEqual([`of-${n}-1`, `of-${n}-0`, "without"]);
        }
        const grouped = s.call("CountWorkflowExecutions", { query: `${among} GROUP BY ${name}` });
        if (type !== T.KEYWORD && type !== T.BOOL && type !== T.INT)
          await expect(grouped).rejects.toThrow(`'GROUP BY' clause is not supported for search attribute ${name}`);
        else {
          const [low, high] = VALUES[type] ?? [];
          const none = type === T.KEYWORD ? "" : null;
          expect((await grouped).count).toBe(3);
          expect(new Set(groupsOf(await grouped))).toEqual(new Set([low, high, none].map((v) => [v, 1, TYPE_NAME[type]])));
        }
      }
  }
});

describe("GROUP BY", () => {
  it("takes every keyword, bool and int that is no custom one: the groups add up to the count", async () => {
    const fields = [...[...SYSTEM.values()].map((x) => [x.name, x.type] as const), ...[...PREDEFINED].map(([name, x]) => [name, x.type] as const)];
    await s.running([c.child("of-parent", { taskQueue: { name: "other" }, parentClosePolicy: 2 })], { workflowId: "parent" });
    await s.until("the child is there", async () => (await s.call("CountWorkflowExecutions", { query: "WorkflowId = 'of-parent'" })).count === 1);
    await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: "parent" } });
    const query = "WorkflowId IN ('parent', 'of-parent')";
    for (const [name, type] of fields) {
      const asked = s.call("CountWorkflowExecutions", { query: `${query} GROUP BY ${name}` });
      if (type !== T.KEYWORD && type !== T.BOOL && type !== T.INT) {
        await expect(asked, name).rejects.toThrow(`'GROUP BY' clause is not supported for search attribute ${name}`);
        continue;
      }
      const { count, groups } = await asked;
      // The division hides rows from those who do not name it.
      expect([name, count, groups.reduce((n, g) => n + g.count, 0)]).toEqual([name, 2, 2]);
    }
    const groups = async (field: string) => groupsOf(await s.call("CountWorkflowExecutions", { query: `${query} GROUP BY ${field}` }));
    expect(await groups("ParentWorkflowId")).toEqual([
      ["", 1, "Keyword"],
      ["parent", 1, "Keyword"],
    ]);
    expect(await groups("TaskQueue")).toEqual(expect.arrayContaining([["other", 1, "Keyword"]]));
    expect(await groups("WorkflowType")).toEqual(expect.arrayContaining([["C", 1, "Keyword"]]));
    expect(await groups("ExecutionStatus")).toEqual(
      expect.arrayContaining([
        ["Running", 1, "Keyword"],
        ["Terminated", 1, "Keyword"],
      ]),
    );
    expect(await groups("RootWorkflowId")).toEqual([["parent", 2, "Keyword"]]);
    expect((await groups("HistoryLength")).map(([value, n]) => [value === null, n])).toEqual(
      expect.arrayContaining([
        [true, 1],
        [false, 1],
      ]),
    );
    for (const refused of ["WorkflowType, TaskQueue", "Nope"])
      await expect(s.call("CountWorkflowExecutions", { query: `GROUP BY ${refused}` }), refused).rejects.toThrow("invalid query");
    await expect(s.call("ListWorkflowExecutions", { query: "GROUP BY Nope" })).rejects.toThrow("invalid query");
  });
});

describe("lists and counts hold what was acknowledged a moment ago, and groups count it", () => {
  const AT_ONCE = 20;
  const group = groupsOf;

  it("workflows: started, terminated", async () => {
    const query = "WorkflowType = 'Moment'";
    for (let i = 0; i < AT_ONCE; i++) {
      await s.start({ workflowId: `moment-${i}`, workflowType: { name: "Moment" } });
      expect((await s.call("ListWorkflowExecutions", { query })).executions).toHaveLength(i + 1);
      expect((await s.call("CountWorkflowExecutions", { query })).count).toBe(i + 1);
      await s.call("TerminateWorkflowExecution", { workflowExecution: { workflowId: `moment-${i}` } });
      expect((await s.call("CountWorkflowExecutions", { query: `${query} AND ExecutionStatus = 'Terminated'` })).count).toBe(i + 1);
    }
  });

  it("schedules: created, paused, deleted", async () => {
    const count = async (query: string) => (await s.call("CountSchedules", { query })).count;
    const schedule = {
      action: { action: { case: "startWorkflow", value: { workflowId: "x", workflowType: { name: "T" }, taskQueue: { name: "q" } } } },
    };
    for (let i = 0; i < AT_ONCE; i++) {
      await s.call("CreateSchedule", { scheduleId: `schedule-${i}`, schedule, requestId: `r${i}` } as never);
      expect((await s.call("ListSchedules", { maximumPageSize: 100 })).schedules).toHaveLength(i + 1);
      expect(await count("")).toBe(i + 1);
      await s.call("PatchSchedule", { scheduleId: `schedule-${i}`, patch: { pause: "now" }, requestId: `p${i}` });
      expect(await count("TemporalSchedulePaused = true")).toBe(i + 1);
    }
    await s.call("PatchSchedule", { scheduleId: "schedule-0", patch: { unpause: "again" }, requestId: "u" });
    expect(group((await s.call("CountSchedules", { query: "GROUP BY TemporalSchedulePaused" })) as Groups)).toEqual([
      [false, 1, "Bool"],
      [true, AT_ONCE - 1, "Bool"],
    ]);
    for (let i = 0; i < AT_ONCE; i++) {
      await s.call("DeleteSchedule", { scheduleId: `schedule-${i}` });
      expect((await s.call("ListSchedules", { maximumPageSize: 100 })).schedules).toHaveLength(AT_ONCE - i - 1);
    }
  });

  it("standalone activities: started, terminated", async () => {
    const query = "ActivityType = 'Moment'";
    const count = async (more = "") => (await s.call("CountActivityExecutions", { query: query + more })).count;
    for (let i = 0; i < AT_ONCE; i++) {
      const activityId = `activity-${i}`;
      await s.call("StartActivityExecution", {
        ...{ activityId, activityType: { name: "Moment" }, taskQueue: { name: `queue-${i % 2}` } },
        ...{ startToCloseTimeout: seconds(60), requestId: activityId },
      } as never);
      expect((await s.call("ListActivityExecutions", { query })).executions).toHaveLength(i + 1);
      expect(await count()).toBe(i + 1);
      await s.call("TerminateActivityExecution", { activityId, reason: "enough" } as never);
      expect(await count(" AND ExecutionStatus = 'Terminated'")).toBe(i + 1);
    }
    expect(group((await s.call("CountActivityExecutions", { query: `${query} GROUP BY TaskQueue` })) as Groups)).toEqual([
      ["queue-0", AT_ONCE / 2, "Keyword"],
      ["queue-1", AT_ONCE / 2, "Keyword"],
    ]);
    expect(group((await s.call("CountActivityExecutions", { query: `${query} GROUP BY ActivityType` })) as Groups)).toEqual([
      ["Moment", AT_ONCE, "Keyword"],
    ]);
  });

  it("standalone Nexus operations: started, terminated", async () => {
    await s.call("CreateNexusEndpoint", {
      spec: { name: "moment", target: { variant: { case: "worker", value: { namespace: "default", taskQueue: "nobody" } } } },
    });
    const query = "Endpoint = 'moment'";
    const count = async (more = "") => (await s.call("CountNexusOperationExecutions", { query: query + more })).count;
    for (let i = 0; i < AT_ONCE; i++) {
      const operationId = `operation-${i}`;
      await s.call("StartNexusOperationExecution", {
        ...{ operationId, endpoint: "moment", service: `service-${i % 2}`, operation: "go", requestId: operationId },
      } as never);
      expect((await s.call("ListNexusOperationExecutions", { query })).operations).toHaveLength(i + 1);
      expect(await count()).toBe(i + 1);
      await s.call("TerminateNexusOperationExecution", { operationId, reason: "enough" } as never);
      expect(await count(" AND ExecutionStatus = 'Terminated'")).toBe(i + 1);
    }
    expect(group((await s.call("CountNexusOperationExecutions", { query: `${query} GROUP BY Service` })) as Groups)).toEqual([
      ["service-0", AT_ONCE / 2, "Keyword"],
      ["service-1", AT_ONCE / 2, "Keyword"],
    ]);
  });

  it("batch operations: begun, stopped", async () => {
    for (let i = 0; i < 5; i++) {
      const jobId = `job-${i}`;
      await s.call("StartBatchOperation", {
        ...{ jobId, reason: "r", visibilityQuery: "WorkflowType = 'Moment'", maxOperationsPerSecond: 0.1 },
        operation: { case: "deletionOperation", value: { identity: "operator" } },
      });
      expect((await s.call("ListBatchOperations", {})).operationInfo.map((o) => [o.jobId, o.state])).toContainEqual([jobId, 1]);
      await s.call("StopBatchOperation", { jobId, reason: "enough", identity: "operator" });
      expect((await s.call("ListBatchOperations", {})).operationInfo.map((o) => [o.jobId, o.state])).toContainEqual([jobId, 3]);
    }
  });
});
