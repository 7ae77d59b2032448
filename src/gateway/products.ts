/** What the product APIs work with beside the RPCs: made once from the options, shared by their route modules. */
import type { ProductWorkflow } from "../config/workflows.js";
import type { HttpRequest } from "./route.js";
import type { TraceStores } from "./trace/trace-store.js";

export interface Products {
  /** Of a request that names none. */
  readonly namespace: string;
  readonly workflows: readonly ProductWorkflow[];
  readonly traces: TraceStores;
}

/** Query, header, what is configured. */
export function namespaceOf(request: HttpRequest, configured: string): string {
  const query = request.query.get("namespace");
  if (query !== null && query !== "") return query;
  const header = request.headers["temporal-namespace"];
  const named = Array.isArray(header) ? header[0] : header;
  return named === undefined || named === "" ? configured : named;
}
