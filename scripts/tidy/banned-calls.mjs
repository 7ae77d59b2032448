/** What the core may not touch, each with what to use instead; and what tests may not do. */
import ts from "typescript";

const IN_CORE = {
  Date: "env.now (microseconds of the input)",
  performance: "env.now",
  crypto: "env.seed and lib/random, or ids of the input",
  process: "env.config",
  setTimeout: "a deadline in the state: the shell turns it into a TimerFired input",
  setInterval: "a deadline in the state",
  setImmediate: "a further input",
  queueMicrotask: "a further input",
  Promise: "a synchronous function: the shell loads before and commits after",
  fetch: "a task in the Transition, run by history/queues",
  console: "a field of the Transition; the shell logs",
};

const MEMBERS_IN_CORE = { "Math.random": "lib/random, seeded by env.seed" };

const IN_TESTS = {
  "vi.mock": "a fake that is passed in",
  "vi.spyOn": "a fake that records",
  "vi.useFakeTimers": "a simulated Runtime",
};

/** A name in an expression or a type, not a property or a key that happens to be called so. */
function isReference(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (ts.isPropertyAssignment(parent) && parent.name === node) return false;
  if (
    (ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent)) &&
    parent.name === node
  )
    return false;
  if ((ts.isParameter(parent) || ts.isVariableDeclaration(parent) || ts.isBindingElement(parent)) && parent.name === node) return false;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isEnumMember(parent) || ts.isQualifiedName(parent)) return false;
  return true;
}

/** Names that the file itself declares or imports shadow the globals. */
function ownNames(source) {
  const names = new Set();
  const visit = (node) => {
    if (
      (ts.isParameter(node) ||
        ts.isVariableDeclaration(node) ||
        ts.isBindingElement(node) ||
        ts.isFunctionDeclaration(node) ||
        ts.isImportSpecifier(node)) &&
      node.name !== undefined &&
      ts.isIdentifier(node.name)
    )
      names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

export function bannedCalls({ sources }) {
  const problems = [];
  for (const { path, source, isTest, imports } of sources) {
    const inCore = path.startsWith("src/core/") && !isTest;
    if (!inCore && !isTest) continue;
    const at = (node) => `${path}:${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1}`;
    if (inCore)
      for (const { specifier, line } of imports)
        if (specifier.startsWith("node:")) problems.push(`${path}:${line}: ${specifier}: the core has no I/O; pass the value in with the input`);
    const own = ownNames(source);
    const visit = (node) => {
      if (ts.isPropertyAccessExpression(node)) {
        const name = `${node.expression.getText(source)}.${node.name.text}`;
        const instead = (inCore ? MEMBERS_IN_CORE : IN_TESTS)[name];
        if (instead !== undefined) problems.push(`${at(node)}: ${name}: use ${instead}`);
      } else if (inCore && ts.isIdentifier(node) && Object.hasOwn(IN_CORE, node.text) && isReference(node) && !own.has(node.text)) {
        problems.push(`${at(node)}: ${node.text}: use ${IN_CORE[node.text]}`);
      } else if (inCore && (ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AsyncKeyword)) {
        problems.push(`${at(node)}: the core is synchronous`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return problems;
}
