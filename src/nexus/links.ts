/** Links of Temporal as URLs of the Nexus protocol, and the header that carries them (common/nexus/link_converter.go). */
import type { Link } from "../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../gen/wire/temporal/api/enums/v1/event_type.js";
import type { Init } from "../api/wire.js";

export interface NexusLink {
  readonly url: string;
  readonly type: string;
}

const WORKFLOW_EVENT = "temporal.api.common.v1.Link.WorkflowEvent";
const ACTIVITY = "temporal.api.common.v1.Link.Activity";
const NEXUS_OPERATION = "temporal.api.common.v1.Link.NexusOperation";
const SCHEME = "temporal:";
const EVENT_REFERENCE = "EventReference";
const REQUEST_REFERENCE = "RequestIdReference";

/** Event types in links are written without underscores. */
const shortName = (type: number): string =>
  (EventType[type] ?? "Unspecified")
    .split("_")
    .map((w) => w.slice(0, 1) + w.slice(1).toLowerCase())
    .join("");
const BY_NAME = new Map<string, number>(
  Object.entries(EventType)
    .filter(([, v]) => typeof v === "number")
    .flatMap(([k, v]) => [
      [shortName(v as number), v as number],
      [`EVENT_TYPE_${k}`, v as number],
    ]),
);

/** As Go's url.PathEscape leaves a segment. */
const escapeSegment = (s: string): string =>
  encodeURIComponent(s)
    .replace(/%(24|26|2B|3A|3D|40)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export function toNexusLink(link: Init<Link>): NexusLink | undefined {
  const v = link.variant;
  if (v?.case === "activity") {
    const { namespace = "", activityId = "", runId = "" } = v.value ?? {};
    return {
      url: `${SCHEME}///namespaces/${escapeSegment(namespace)}/activities/${escapeSegment(activityId)}/${escapeSegment(runId)}/details`,
      type: ACTIVITY,
    };
  }
  if (v?.case === "nexusOperation") {
    const { namespace = "", operationId = "", runId = "" } = v.value ?? {};
    return {
      url: `${SCHEME}///namespaces/${escapeSegment(namespace)}/nexus-operations/${escapeSegment(operationId)}/${escapeSegment(runId)}/details`,
      type: NEXUS_OPERATION,
    };
  }
  if (v?.case !== "workflowEvent") return undefined;
  const { namespace = "", workflowId = "", runId = "", reference } = v.value ?? {};
  const query = new URLSearchParams();
  if (reference?.case === "eventRef") {
    const { eventId = 0, eventType = 0 } = reference.value ?? {};
    if (eventId > 0) query.set("eventID", String(eventId));
    query.set("eventType", shortName(eventType));
    query.set("referenceType", EVENT_REFERENCE);
  } else if (reference?.case === "requestIdRef") {
    query.set("eventType", shortName(reference.value?.eventType ?? 0));
    query.set("referenceType", REQUEST_REFERENCE);
    query.set("requestID", reference.value?.requestId ?? "");
  }
  const search = query.toString();
  return {
    url: `${SCHEME}///namespaces/${escapeSegment(namespace)}/workflows/${escapeSegment(workflowId)}/${escapeSegment(runId)}/history${search === "" ? "" : `?${search}`}`,
    type: WORKFLOW_EVENT,
  };
}

/** Links that say nothing to this server are left out: nothing depends on them. */
export function fromNexusLinks(links: readonly NexusLink[]): Init<Link>[] {
  return links.flatMap((l) => {
    const link = fromNexusLink(l);
    return link === undefined ? [] : [link];
  });
}

function fromNexusLink({ url: text, type }: NexusLink): Init<Link> | undefined {
  const m = /^temporal:\/\/[^/?#]*(\/[^?#]*)(?:\?([^#]*))?/.exec(text);
  if (m === null) return undefined;
  try {
    const path = (m[1] as string).split("/").slice(1).map(decodeURIComponent);
    const [namespaces, namespace = "", kind, id = "", runId = "", last] = path;
    if (path.length !== 6 || namespaces !== "namespaces" || namespace === "" || id === "" || runId === "") return undefined;
    if (type === ACTIVITY && kind === "activities" && last === "details")
      return { variant: { case: "activity", value: { namespace, activityId: id, runId } } };
    if (type !== WORKFLOW_EVENT || kind !== "workflows" || last !== "history") return undefined;
    const query = new URLSearchParams(m[2] ?? "");
    const eventType = BY_NAME.get(query.get("eventType") ?? "");
    if (eventType === undefined) return undefined;
    const reference = referenceOf(query, eventType);
    return reference === undefined ? undefined : { variant: { case: "workflowEvent", value: { namespace, workflowId: id, runId, reference } } };
  } catch {
    return undefined;
  }
}

type Reference = Extract<Link["variant"], { case: "workflowEvent" }>["value"]["reference"];

function referenceOf(query: URLSearchParams, eventType: number): Init<Reference> | undefined {
  switch (query.get("referenceType")) {
    case EVENT_REFERENCE: {
      const text = query.get("eventID") ?? "";
      if (text !== "" && !/^-?\d+$/.test(text)) return undefined;
      return { case: "eventRef", value: { eventId: Number(text), eventType } } as Init<Reference>;
    }
    case REQUEST_REFERENCE:
      return { case: "requestIdRef", value: { requestId: query.get("requestID") ?? "", eventType } } as Init<Reference>;
    default:
      return undefined;
  }
}

/** One value of the header Nexus-Link. */
export function linkHeader(links: readonly NexusLink[]): string {
  return links.map((l) => `<${l.url}>; type="${l.type}"`).join(", ");
}

/** @throws Error when the header is not of the form of a Link header with types. */
export function parseLinkHeader(value: string | undefined): NexusLink[] {
  if (value === undefined || value.trim() === "") return [];
  return value.split(",").map((part) => {
    const m = /^\s*<\s*([^>]+?)\s*>\s*((?:;[^;]*)+)$/.exec(part);
    if (m === null) throw new Error("failed to parse link header");
    const parameters = (m[2] as string).split(";").slice(1);
    const type = parameters.map((p) => /^\s*type\s*=\s*"?([A-Za-z0-9_./]+)"?\s*$/.exec(p)?.[1]).find((t) => t !== undefined);
    const url = m[1] as string;
    if (type === undefined || !isUrl(url)) throw new Error("failed to parse link header");
    return { url, type };
  });
}

/** Absolute or relative: what a URL may not be is one with an empty scheme, a broken escape or a control character. */
function isUrl(text: string): boolean {
  return !text.startsWith(":") && !/%(?![0-9A-Fa-f]{2})/.test(text) && !/\p{Cc}/u.test(text);
}
