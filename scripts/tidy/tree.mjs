/** The tree as the tidy checks see it: files with their text, imports and syntax, read once. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import ts from "typescript";
import { root } from "../setup.mjs";

const SKIPPED = new Set(["node_modules", "gen", "dist", "data", "build", ".git", ".setup"]);

function walk(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (SKIPPED.has(entry.name)) return [];
    return entry.isDirectory() ? walk(path) : [path];
  });
}

/** @returns {{ path: string, specifier: string, target: string | undefined, typeOnly: boolean, line: number }[]} */
function importsOf(file, source) {
  const found = [];
  const add = (node, specifier, typeOnly) => {
    const relative = specifier.startsWith(".");
    // TypeScript sources are imported by the name of the JavaScript they become.
    const target = relative ? posix.normalize(posix.join(dirname(file), specifier)).replace(/\.js$/, ".ts") : undefined;
    found.push({ path: file, specifier, target, typeOnly, line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1 });
  };
  const visit = (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined)
      add(node, node.moduleSpecifier.text, ts.isImportDeclaration(node) ? node.importClause?.isTypeOnly === true : node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && ts.isStringLiteralLike(node.arguments[0]))
      add(node, node.arguments[0].text, false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal.text, true);
    // `new URL("./x-worker.js", import.meta.url)` starts a thread.
    else if (
      ts.isNewExpression(node) &&
      node.expression.getText(source) === "URL" &&
      node.arguments?.[0] !== undefined &&
      ts.isStringLiteralLike(node.arguments[0])
    )
      add(node, node.arguments[0].text, false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

export function parseSource(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  return { path, text, source, imports: importsOf(path, source), isTest: /\.test\.ts$/.test(path) };
}

export function readTree() {
  const paths = walk("");
  const sources = paths.filter((p) => p.endsWith(".ts")).map((path) => parseSource(path, readFileSync(join(root, path), "utf8")));
  const documents = paths.filter((p) => p.endsWith(".md")).map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  return { paths, sources, documents };
}
