/**
 * The file of --dynamic-config-file: the official server's YAML (a key, then a list of values with their constraints), or a JSON object of
 * keys and values, in which a list of `value`s is taken for the official form too. In: its text. Out: the values, or an Error that names
 * file, line and key.
 */
import { constraintsKey, NO_CONSTRAINTS, parseConstraints } from "./constraints.js";
import type { GivenValue } from "./dynamic-config.js";
import type { YamlKey } from "./yaml-keys.js";

/** One element of a key's list. */
interface Element {
  readonly value?: unknown;
  readonly constraints?: unknown;
}

const FORM = "must be a list of values: - value: ...";

const isObject = (e: unknown): e is object => typeof e === "object" && e !== null && !Array.isArray(e);

/**
 * `onDuplicate`: a value has the constraints of an earlier one of its key; as on the official server the first counts.
 * @throws Error with a text for the user.
 */
export async function parseDynamicConfig(file: string, text: string, onDuplicate: (value: GivenValue) => void): Promise<GivenValue[]> {
  const json = jsonOf(file, text);
  // Few servers have YAML: the others do not load the parser.
  return json === undefined ? fromYaml(file, text, onDuplicate) : fromJson(file, text, json, onDuplicate);
}

const place = (file: string, line?: number): string => `--dynamic-config-file ${file}${line === undefined ? "" : `, line ${line}`}`;

/** Undefined: YAML. */
function jsonOf(file: string, text: string): object | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (e) {
    if (text.trimStart().startsWith("{")) throw new Error(`${place(file)}: ${(e as Error).message}`);
    return undefined;
  }
  if (parsed === null) return undefined;
  if (!isObject(parsed)) throw new Error(`${place(file)}: not an object of keys`);
  return parsed;
}

function fromJson(file: string, text: string, json: object, onDuplicate: (value: GivenValue) => void): GivenValue[] {
  return Object.entries(json).flatMap(([key, value]) => {
    const where = place(file, lineAt(text, text.indexOf(JSON.stringify(key))));
    const isOfficial = Array.isArray(value) && value.length > 0 && value.every((e) => isObject(e) && "value" in e);
    if (!isOfficial) return [{ key, value, constraints: NO_CONSTRAINTS, where }];
    return firstOnes(
      value.map((element) => given(key, element, where)),
      onDuplicate,
    );
  });
}

const lineAt = (text: string, at: number): number => text.slice(0, Math.max(0, at)).split("\n").length;

async function fromYaml(file: string, text: string, onDuplicate: (value: GivenValue) => void): Promise<GivenValue[]> {
  const { parseYamlKeys, YamlError } = await import("./yaml-keys.js");
  let keys: YamlKey[];
  try {
    keys = parseYamlKeys(text);
  } catch (e) {
    throw e instanceof YamlError ? new Error(`${place(file, e.line)}: ${e.message}`) : e;
  }
  const seen = new Map<string, string>();
  return keys.flatMap(({ key, line, elements }) => {
    const earlier = seen.get(key.toLowerCase());
    if (earlier !== undefined) throw new Error(`${place(file, line)}: ${key}: stands there before, as ${earlier}`);
    seen.set(key.toLowerCase(), key);
    if (elements === undefined) throw new Error(`${place(file, line)}: ${key} ${FORM}`);
    const values = elements.map((e) => {
      if (!isObject(e.value) || !("value" in e.value)) throw new Error(`${place(file, e.line)}: ${key} ${FORM}`);
      return given(key, e.value, place(file, e.line));
    });
    return firstOnes(values, onDuplicate);
  });
}

function given(key: string, element: Element, where: string): GivenValue {
  try {
    return { key, value: element.value, constraints: parseConstraints(element.constraints), where };
  } catch (e) {
    throw new Error(`${where}: ${key}: ${(e as Error).message}`);
  }
}

function firstOnes(values: readonly GivenValue[], onDuplicate: (value: GivenValue) => void): GivenValue[] {
  const first = new Map<string, GivenValue>();
  for (const value of values) {
    const key = constraintsKey(value.constraints);
    if (first.has(key)) onDuplicate(value);
    else first.set(key, value);
  }
  return [...first.values()];
}
