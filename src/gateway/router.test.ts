import { describe, expect, it } from "vitest";
import type { HttpRequest, Route } from "./route.js";
import { Router } from "./router.js";
import { parseTemplate } from "./template.js";

const route = (method: string, template: string, accepts?: Route["accepts"]) => ({ method, template, ...(accepts === undefined ? {} : { accepts }) });
const request = (method: string, path: string, headers = {}) => ({ method, path, headers }) as HttpRequest;

function find(routes: readonly ReturnType<typeof route>[], method: string, path: string, headers = {}): unknown {
  const found = new Router(routes).find(request(method, path, headers));
  return found.kind === "found" ? [found.route.template, found.parameters] : found.kind === "other methods" ? found.methods : found.kind;
}

describe("router", () => {
  const routes = [
    route("GET", "/ns/{namespace}/workflows/{execution.workflow_id}"),
    route("GET", "/ns/{namespace}/workflows/count"),
    route("POST", "/ns/{namespace}/workflows/scan"),
    route("POST", "/ns/{namespace}/workflows/{id}/signal/{name}"),
    route("GET", "/"),
    route("GET", "/files/{path=**}"),
    route("GET", "/files/{name=a/*}/end"),
  ];

  it.each([
    ["GET", "/ns/a/workflows/count", ["/ns/{namespace}/workflows/count", { namespace: "a" }]],
    ["GET", "/ns/a/workflows/w", ["/ns/{namespace}/workflows/{execution.workflow_id}", { namespace: "a", "execution.workflow_id": "w" }]],
    ["POST", "/ns/a/workflows/scan/signal/s", ["/ns/{namespace}/workflows/{id}/signal/{name}", { namespace: "a", id: "scan", name: "s" }]],
    // The literal is of another method only.
    ["GET", "/ns/a/workflows/scan", ["/ns/{namespace}/workflows/{execution.workflow_id}", { namespace: "a", "execution.workflow_id": "scan" }]],
    [
      "GET",
      "/ns/%2F%C3%A4/workflows/a%20b%2Fc",
      ["/ns/{namespace}/workflows/{execution.workflow_id}", { namespace: "/ä", "execution.workflow_id": "a b/c" }],
    ],
    ["GET", "/", ["/", {}]],
    ["GET", "/files", ["/files/{path=**}", { path: "" }]],
    ["GET", "/files/x/y", ["/files/{path=**}", { path: "x/y" }]],
    ["GET", "/files/a/b/end", ["/files/{name=a/*}/end", { name: "a/b" }]],
    ["GET", "/files/a/b/more", ["/files/{path=**}", { path: "a/b/more" }]],
    ["DELETE", "/ns/a/workflows/count", ["GET"]],
    ["DELETE", "/ns/a/workflows/scan", ["GET", "POST"]],
    ["GET", "/ns/a", "none"],
    ["GET", "/ns/%zz/workflows/w", "malformed"],
  ])("%s %s", (method, path, expected) => {
    expect(find(routes, method, path)).toEqual(expected);
  });

  it("asks routes of one path in their order whether they accept the request", () => {
    const two = [route("GET", "/a/{x}", (r) => r.headers["version"] !== undefined), route("GET", "/a/{y}")];
    expect(find(two, "GET", "/a/1", { version: "v1" })).toEqual(["/a/{x}", { x: "1" }]);
    expect(find(two, "GET", "/a/1")).toEqual(["/a/{y}", { y: "1" }]);
  });

  it("goes on to a variable when the literal accepts nothing", () => {
    const two = [route("GET", "/a/count", () => false), route("GET", "/a/{id}")];
    expect(find(two, "GET", "/a/count")).toEqual(["/a/{id}", { id: "count" }]);
  });

  it.each(["a", "/a{b}", "/{a}b", "/a:verb", "/{a=**}/b", "/{a"])("refuses the template %s", (text) => {
    expect(() => parseTemplate(text)).toThrow(text);
  });
});
