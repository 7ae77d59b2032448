/** Import direction (docs/ARCHITECTURE.md, "Layers"): a file imports from its own folder and from layers to the left of its own. */

/** Left to right; folders in one row do not know each other. */
export const LAYERS = [
  ["lib"],
  ["api"],
  ["config"],
  ["core"],
  ["telemetry"],
  ["persistence"],
  ["history", "matching", "visibility", "namespace", "nexus", "quotas", "authorization"],
  ["cloud"],
  ["worker", "frontend", "gateway"],
  ["rpc"],
  ["server"],
  ["cli"],
  ["main.ts"],
];

const rankOf = (folder) => LAYERS.findIndex((row) => row.includes(folder));
const folderOf = (path) => path.split("/")[1];

/** protobuf-es needs 150 ms and 40 MiB to load: only what speaks JSON or reflects may, and not at start-up. */
const DESCRIPTOR_USERS = /^src\/(rpc|gateway)\//;

export function layers({ sources }) {
  const problems = [];
  for (const file of sources.filter((s) => s.path.startsWith("src/"))) {
    const rank = rankOf(folderOf(file.path));
    if (rank < 0) problems.push(`${file.path}: src/${folderOf(file.path)} is not in the table of layers (scripts/tidy/layers.mjs)`);
    // A unit test may set its subject into surroundings.
    if (file.isTest || rank < 0) continue;
    for (const { target, specifier, typeOnly, line } of file.imports) {
      if (target === undefined) continue;
      if (target.startsWith("gen/es/") && !typeOnly && !DESCRIPTOR_USERS.test(file.path))
        problems.push(`${file.path}:${line}: ${specifier} is for src/rpc; use gen/wire`);
      if (!target.startsWith("src/")) continue;
      const to = folderOf(target);
      if (to === folderOf(file.path)) continue;
      // Peers that need each other say so in their contract.ts, types only; the composition root wires them.
      if (rankOf(to) === rank && typeOnly && target.endsWith("/contract.ts")) continue;
      if (rankOf(to) >= rank) problems.push(`${file.path}:${line}: ${folderOf(file.path)} may not import ${to} (${specifier})`);
    }
  }
  return problems;
}
