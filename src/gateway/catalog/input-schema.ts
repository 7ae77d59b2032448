/** Checks of inputs against JSON schemas, drafts 7 and 2020-12 alike. The library is loaded when the first schema is. */
import type { ValidateFunction } from "ajv";
import type { JsonSchema } from "../../config/workflows.js";
import type { Issue } from "../trigger/product-error.js";

type Ajv = import("ajv/dist/2020.js").Ajv2020;

const load = async (): Promise<Ajv> => {
  const [library, formats] = await Promise.all([import("ajv/dist/2020.js"), import("ajv-formats")]);
  // Bundled, a CommonJS package is its default export and nothing else.
  const { Ajv2020 } = "Ajv2020" in library ? library : (library as { default: typeof library }).default;
  const add: unknown = "default" in formats.default ? formats.default.default : formats.default;
  // A schema is the user's: what it has beyond the standard is left alone, and nothing is written to the console.
  const ajv = new Ajv2020({ allErrors: true, strict: false, logger: false, validateSchema: false });
  (add as (a: Ajv) => void)(ajv);
  return ajv;
};
let loaded: ReturnType<typeof load> | undefined;

const compiled = new WeakMap<JsonSchema, ValidateFunction>();

/** @throws Error when it is no schema. */
export async function compileSchema(schema: JsonSchema): Promise<ValidateFunction> {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    const ajv = await (loaded ??= load());
    const { $schema: _, ...body } = schema;
    validate = ajv.compile(body);
    compiled.set(schema, validate);
  }
  return validate;
}

/** What is wrong with the value, by path; empty when nothing is. */
export async function issuesOf(schema: JsonSchema, value: unknown): Promise<Issue[]> {
  const validate = await compileSchema(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).map((e) => {
    // The library names the object; the reader wants the field.
    const field =
      e.keyword === "required" ? e.params["missingProperty"] : e.keyword === "additionalProperties" ? e.params["additionalProperty"] : undefined;
    const path = field === undefined ? e.instancePath : `${e.instancePath}/${escapePointer(String(field))}`;
    return {
      path,
      message: e.keyword === "required" ? "is required" : e.keyword === "additionalProperties" ? "is not known" : (e.message ?? e.keyword),
    };
  });
}

const escapePointer = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");
