/** Finds the route of a path: at each segment a literal wins over a variable, a variable over the rest of the path. */

import type { HttpRequest, PathParameters, Route } from "./route.js";
import { type Capture, parseTemplate } from "./template.js";

interface Entry<R> {
  readonly route: R;
  readonly captures: readonly Capture[];
}

class Node<R> {
  readonly literals = new Map<string, Node<R>>();
  one: Node<R> | undefined;
  /** Of templates whose rest begins here. */
  rest: Node<R> | undefined;
  /** By method, in the order in which they were added. */
  readonly entries = new Map<string, Entry<R>[]>();
}

export type Found<R> =
  | { readonly kind: "found"; readonly route: R; readonly parameters: PathParameters }
  /** The path is that of routes of other methods. */
  | { readonly kind: "other methods"; readonly methods: readonly string[] }
  | { readonly kind: "none" }
  /** Not a path: a malformed escape. */
  | { readonly kind: "malformed" };

export class Router<R extends Pick<Route, "method" | "template" | "accepts">> {
  private readonly root = new Node<R>();

  constructor(routes: Iterable<R>) {
    for (const route of routes) this.add(route);
  }

  private add(route: R): void {
    const { segments, captures } = parseTemplate(route.template);
    let node = this.root;
    for (const s of segments) {
      if (s === "one") node = node.one ??= new Node();
      else if (s === "rest") node = node.rest ??= new Node();
      else {
        let next = node.literals.get(s.literal);
        if (next === undefined) node.literals.set(s.literal, (next = new Node()));
        node = next;
      }
    }
    const entries = node.entries.get(route.method);
    if (entries === undefined) node.entries.set(route.method, [{ route, captures }]);
    else entries.push({ route, captures });
  }

  find(request: HttpRequest): Found<R> {
    const segments = decodePath(request.path);
    if (segments === undefined) return { kind: "malformed" };
    const others = new Set<string>();
    for (const node of this.nodes(this.root, segments, 0)) {
      const entry = node.entries.get(request.method)?.find(({ route }) => route.accepts?.(request) ?? true);
      if (entry !== undefined) return { kind: "found", route: entry.route, parameters: parametersOf(entry.captures, segments) };
      for (const method of node.entries.keys()) if (method !== request.method) others.add(method);
    }
    return others.size > 0 ? { kind: "other methods", methods: [...others].sort() } : { kind: "none" };
  }

  /** Those that the path leads to, the most specific first. */
  private *nodes(node: Node<R>, segments: readonly string[], at: number): Generator<Node<R>> {
    if (at === segments.length) {
      yield node;
    } else {
      const literal = node.literals.get(segments[at] as string);
      if (literal !== undefined) yield* this.nodes(literal, segments, at + 1);
      if (node.one !== undefined) yield* this.nodes(node.one, segments, at + 1);
    }
    if (node.rest !== undefined) yield node.rest;
  }
}

/** A slash that is part of a name comes as %2F and does not split it. */
function decodePath(path: string): string[] | undefined {
  if (path === "/" || path === "") return [];
  try {
    return path.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function parametersOf(captures: readonly Capture[], segments: readonly string[]): PathParameters {
  const parameters: Record<string, string> = {};
  for (const { name, from, to } of captures) parameters[name] = segments.slice(from, to).join("/");
  return parameters;
}
