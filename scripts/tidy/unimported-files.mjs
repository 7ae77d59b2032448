/** Files of src/ that nothing reaches: dead, or a worker or an entry that is not named as one. */

const isEntry = (path) => path === "src/main.ts" || path.endsWith("-worker.ts");

export function unimportedFiles({ sources }) {
  const imported = new Set(sources.flatMap((s) => s.imports.map((i) => i.target)));
  return sources
    .filter((s) => s.path.startsWith("src/") && !s.isTest && !isEntry(s.path) && !imported.has(s.path))
    .map((s) => `${s.path}: nothing imports it`);
}
