/** Checks on links (common/links/validator.go). */
import { type Callback, Link } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { EventType } from "../../../gen/wire/temporal/api/enums/v1/event_type.js";
import { invalidArgument } from "../../api/service-error.js";
import { encode } from "../../api/wire.js";

/** The links that say something which the links of the request's Nexus callbacks do not say already. */
export function withoutCallbackLinks(links: readonly Link[], callbacks: readonly Callback[]): Link[] {
  const known = callbacks.filter((c) => c.variant.case === "nexus").flatMap((c) => c.links.map((l) => encode(Link, l)));
  return known.length === 0 ? [...links] : links.filter((l) => !known.some((k) => k.equals(encode(Link, l))));
}

export function validateLinks(links: readonly Link[], countMax: number, sizeMax: number): void {
  if (links.length > countMax) throw invalidArgument(`cannot attach more than ${countMax} links per request, got ${links.length}`);
  for (const link of links) {
    const size = encode(Link, link).length;
    if (size > sizeMax) throw invalidArgument(`link exceeds allowed size of ${sizeMax}, got ${size}`);
    const v = link.variant;
    switch (v.case) {
      case "workflowEvent": {
        required("workflow event link", v.value.namespace, "namespace field");
        required("workflow event link", v.value.workflowId, "workflow ID field");
        required("workflow event link", v.value.runId, "run ID field");
        const reference = v.value.reference;
        if (reference.case === "eventRef" && reference.value.eventType === EventType.UNSPECIFIED && reference.value.eventId !== 0)
          throw invalidArgument("workflow event link ref cannot have an unspecified event type and a non-zero event ID");
        break;
      }
      case "batchJob":
        required("batch job link", v.value.jobId, "job ID");
        break;
      case "nexusOperation":
        required("nexus operation link", v.value.namespace, "namespace field");
        required("nexus operation link", v.value.operationId, "operation ID field");
        required("nexus operation link", v.value.runId, "run ID field");
        break;
      case "activity":
        required("activity link", v.value.namespace, "namespace field");
        required("activity link", v.value.activityId, "activity ID field");
        required("activity link", v.value.runId, "run ID field");
        break;
      case "workflow":
        required("workflow link", v.value.namespace, "namespace field");
        required("workflow link", v.value.workflowId, "workflow ID field");
        required("workflow link", v.value.runId, "run ID field");
        break;
      default:
        throw invalidArgument("unsupported link variant");
    }
  }
}

function required(what: string, value: string, field: string): void {
  if (value === "") throw invalidArgument(`${what} must not have an empty ${field}`);
}
