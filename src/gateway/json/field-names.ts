/** Fields of a message by either of their names, and values of an enum by any of theirs. */
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";

const fieldsOf = new WeakMap<DescMessage, Map<string, DescField>>();

export function fieldByName(message: DescMessage, name: string): DescField | undefined {
  let fields = fieldsOf.get(message);
  if (fields === undefined) {
    fields = new Map();
    for (const f of message.fields) fields.set(f.jsonName, f).set(f.name, f);
    fieldsOf.set(message, fields);
  }
  return fields.get(name);
}

const screaming = (text: string): string =>
  text
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toUpperCase();

/** The full name of a value: itself, or as the older JSON had it, "Running" or "RUNNING" for WORKFLOW_EXECUTION_STATUS_RUNNING. */
export function enumValueName(type: DescEnum, text: string): string | undefined {
  const find = (name: string) => type.values.find((v) => v.name === name)?.name;
  return find(text) ?? find(`${screaming(type.name)}_${screaming(text)}`);
}
