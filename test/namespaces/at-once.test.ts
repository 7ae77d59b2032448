/** What is registered is there for the next call, of anybody, and however many come at once none is put off. */
import { expect, it } from "vitest";
import { Payload } from "../../gen/wire/temporal/api/common/v1/message.js";
import { encode } from "../../src/api/wire.js";
import { seconds } from "../conformance/session.js";
import { ServerOnFile } from "../harness/server-on-file.js";

const red = encode(Payload, { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from('"red"') });

it("namespaces, search attributes and Nexus endpoints", async () => {
  const server = new ServerOnFile();
  const s = await server.start();
  const names = Array.from({ length: 60 }, (_, i) => `ns-${i}`);
  await Promise.all(
    names.map(async (namespace, i) => {
      await s.call("RegisterNamespace", { namespace, workflowExecutionRetentionPeriod: seconds(86_400) });
      expect((await s.call("DescribeNamespace", { namespace })).namespaceInfo?.state).toBe(1);
      await s.call("UpdateNamespace", { namespace, updateInfo: { description: `d${i}` } });
      expect((await s.call("DescribeNamespace", { namespace })).namespaceInfo?.description).toBe(`d${i}`);
      await s.call("AddSearchAttributes", { namespace, searchAttributes: { Colour: 2 } });
      await s.start({ namespace, searchAttributes: { indexedFields: { Colour: red } } });
      expect((await s.call("CountWorkflowExecutions", { namespace, query: "Colour = 'red'" })).count).toBe(1);
      const target = { variant: { case: "worker" as const, value: { namespace, taskQueue: "handlers" } } };
      await s.call("CreateNexusEndpoint", { spec: { name: `endpoint-${i}`, target } });
      await s.call("StartNexusOperationExecution", {
        ...{ namespace, operationId: "o", endpoint: `endpoint-${i}`, service: "s", operation: "op", requestId: "r" },
      });
      const { request } = await s.call("PollNexusTaskQueue", { namespace, taskQueue: { name: "handlers", kind: 1 }, identity: "w" });
      expect(request?.variant.case).toBe("startOperation");
    }),
  );
  const { namespaces } = await s.call("ListNamespaces", { pageSize: 1000 });
  expect(namespaces.map((n) => n.namespaceInfo?.name)).toEqual(expect.arrayContaining(names));
});
