/**
 * Workflows that the product HTTP APIs serve by a name of their own: one entry each, of --workflow NAME=JSON or of the key "workflow" of
 * the --config file. An entry makes `POST /workflows/NAME` and its name, schemas and queue part of `GET /workflow/catalog`.
 */
import { _default, array, int, minimum, minLength, optional, record, regex, safeParse, strictObject, string, unknown } from "zod/mini";

export interface ProductWorkflow {
  readonly name: string;
  readonly workflowType: string;
  readonly taskQueue: string;
  /** That of the request, else this one, else the API's. */
  readonly namespace: string | undefined;
  readonly description: string | undefined;
  /** Other names under which it is found. */
  readonly aliases: readonly string[];
  /** JSON schemas. */
  readonly inputSchema: JsonSchema | undefined;
  readonly outputSchema: JsonSchema | undefined;
  /** Workflow ids are this, a hyphen and hexadecimal digits. */
  readonly idPrefix: string;
  /** Of one address; undefined is no limit. */
  readonly requestsPerMinute: number | undefined;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

const text = string().check(minLength(1));
const schema = record(string(), unknown());

const ENTRY = strictObject({
  workflowType: optional(text),
  taskQueue: text,
  namespace: optional(text),
  description: optional(string()),
  aliases: _default(array(text), []),
  inputSchema: optional(schema),
  outputSchema: optional(schema),
  idPrefix: optional(text),
  requestsPerMinute: optional(int().check(minimum(1))),
});
const NAME = string().check(regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/));

/** @throws Error with a text for the user. */
export function parseWorkflow(name: string, json: string): ProductWorkflow {
  if (!NAME.safeParse(name).success) throw new Error(`${JSON.stringify(name)} is not a name of letters, digits, "_", "." and "-"`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (e) {
    throw new Error(`${name}: ${(e as Error).message}`);
  }
  const parsed = safeParse(ENTRY, value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = (issue?.path ?? []).join(".");
    throw new Error(`${name}: ${path === "" ? "" : `${path}: `}${issue?.message}`);
  }
  const e = parsed.data;
  return {
    name,
    workflowType: e.workflowType ?? name,
    taskQueue: e.taskQueue,
    namespace: e.namespace,
    description: e.description,
    aliases: e.aliases,
    inputSchema: e.inputSchema,
    outputSchema: e.outputSchema,
    idPrefix: e.idPrefix ?? (name.endsWith("-workflow") ? name : `${name}-workflow`),
    requestsPerMinute: e.requestsPerMinute,
  };
}
