/** YAML of the form of a dynamic config file: keys, each with a list. It brings the parser in, so it is loaded with the first such file. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type ScalarTag } from "yaml";

export interface YamlKey {
  readonly key: string;
  readonly line: number;
  /** Undefined: what stands there is no list. */
  readonly elements: readonly { readonly line: number; readonly value: unknown }[] | undefined;
}

export class YamlError extends Error {
  constructor(
    readonly line: number,
    text: string,
  ) {
    super(text);
  }
}

/** Go's YAML takes digits in groups for a number. */
const GROUPED_INTEGER: ScalarTag = {
  default: true,
  tag: "tag:yaml.org,2002:int",
  test: /^[-+]?[0-9]+(_[0-9]+)+$/,
  resolve: (text) => Number(text.replaceAll("_", "")),
};

/** @throws YamlError */
export function parseYamlKeys(text: string): YamlKey[] {
  const lines = new LineCounter();
  const document: Document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    customTags: (tags) => [GROUPED_INTEGER, ...tags],
  });
  const [error] = document.errors;
  if (error !== undefined) throw new YamlError(lines.linePos(error.pos[0]).line, error.message);
  const lineOf = (node: unknown): number => lines.linePos((node as Node).range?.[0] ?? 0).line;
  const target = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const isNothing = (node: unknown): boolean => node === null || node === undefined || (isScalar(node) && node.value === null);
  const root = target(document.contents);
  if (isNothing(root)) return [];
  if (!isMap(root)) throw new YamlError(1, "must be keys, each with a list of values");
  return root.items.map(({ key, value }) => {
    const list = target(value);
    const items = isNothing(list) ? [] : isSeq(list) ? list.items : undefined;
    return {
      key: isScalar(key) ? String(key.value) : "",
      line: lineOf(key),
      elements: items?.map((item) => ({ line: lineOf(item), value: (item as Node).toJS(document) as unknown })),
    };
  });
}
