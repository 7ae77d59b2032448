import { describe, expect, test } from "vitest";
import type { Link } from "../../gen/wire/temporal/api/common/v1/message.js";
import type { Init } from "../api/wire.js";
import { fromNexusLinks, linkHeader, parseLinkHeader, toNexusLink } from "./links.js";

const event = (workflowId: string, reference: object): Init<Link> =>
  ({ variant: { case: "workflowEvent", value: { namespace: "n s", workflowId, runId: "r", reference } } }) as Init<Link>;

describe("links", () => {
  test.each([
    [
      event("w", { case: "eventRef", value: { eventId: 5, eventType: 1 } }),
      "/w/r/history?eventID=5&eventType=WorkflowExecutionStarted&referenceType=EventReference",
    ],
    [
      event("a/b:c?d=é'", { case: "requestIdRef", value: { requestId: "q&", eventType: 26 } }),
      "/a%2Fb:c%3Fd=%C3%A9%27/r/history?eventType=WorkflowExecutionSignaled&referenceType=RequestIdReference&requestID=q%26",
    ],
  ])("of workflow events are URLs, and come back", (link, end) => {
    const made = toNexusLink(link);
    expect(made).toEqual({ url: `temporal:///namespaces/n%20s/workflows${end}`, type: "temporal.api.common.v1.Link.WorkflowEvent" });
    expect(fromNexusLinks(made === undefined ? [] : [made])).toEqual([link]);
  });

  test("of activities are URLs, and come back", () => {
    const link: Init<Link> = { variant: { case: "activity", value: { namespace: "n", activityId: "a", runId: "r" } } };
    const made = toNexusLink(link);
    expect(made?.url).toBe("temporal:///namespaces/n/activities/a/r/details");
    expect(fromNexusLinks(made === undefined ? [] : [made])).toEqual([link]);
  });

  test.each([
    ["https://example.org/namespaces/n/workflows/w/r/history?referenceType=EventReference&eventType=1", "temporal.api.common.v1.Link.WorkflowEvent"],
    ["temporal:///namespaces/n/workflows/w/history", "temporal.api.common.v1.Link.WorkflowEvent"],
    ["temporal:///namespaces/n/workflows/w/r/history?referenceType=Other", "temporal.api.common.v1.Link.WorkflowEvent"],
    ["temporal:///namespaces/n/workflows/w/r/history?referenceType=EventReference&eventType=Odd", "temporal.api.common.v1.Link.WorkflowEvent"],
    [
      "temporal:///namespaces/n/workflows/w/r/history?referenceType=EventReference&eventID=x&eventType=TimerFired",
      "temporal.api.common.v1.Link.WorkflowEvent",
    ],
    [
      "temporal:///namespaces/%zz/workflows/w/r/history?referenceType=EventReference&eventType=TimerFired",
      "temporal.api.common.v1.Link.WorkflowEvent",
    ],
    ["temporal:///namespaces/n/workflows/w/r/history", "mine"],
  ])("that say nothing here are left out: %s", (url, type) => {
    expect(fromNexusLinks([{ url, type }])).toEqual([]);
  });
});

describe("the header of links", () => {
  test("comes back", () => {
    const links = [
      { url: "temporal:///a?b=c", type: "x.Y" },
      { url: "https://e.org/", type: "z" },
    ];
    expect(parseLinkHeader(linkHeader(links))).toEqual(links);
    expect(parseLinkHeader(undefined)).toEqual([]);
  });

  test.each(["<a>", 'a; type="t"', '<>; type="t"', '<a>; other="t"', '<a>; type="no spaces"', '<:a>; type="t"', '<a%zz>; type="t"'])(
    "refuses %s",
    (value) => {
      expect(() => parseLinkHeader(value)).toThrow();
    },
  );
});
