/** File and folder names: kebab-case, and a name that says what is in it. */

const EMPTY_WORDS = /(^|[-/])(utils?|helpers?|misc|common|impl|stuff)([-.]|\/|$)/;
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/;

export function names({ paths }) {
  const problems = [];
  for (const path of paths.filter((p) => /^(src|test|bench|scripts)\//.test(p) && p.endsWith(".ts"))) {
    if (EMPTY_WORDS.test(path)) problems.push(`${path}: says nothing about its subject; name the subject`);
    if (!path.split("/").every((part) => KEBAB.test(part))) problems.push(`${path}: not in kebab-case`);
  }
  return problems;
}

const IN_CODE = [
  // A note in the code is an issue that nobody sees.
  [/\b(TODO|FIXME|XXX|HACK)\b/, "open an issue instead of a note"],
  [/\b(it|test|describe)\.(only|skip)\(/, "a test that is left out"],
];
const IN_DOCUMENTS = [[/^(<{7}|={7}|>{7})( |$)/, "a merge that was not finished"]];

export function leftovers({ sources, documents }) {
  const inFiles = (files, kinds) =>
    files.flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, i) => kinds.filter(([mark]) => mark.test(line)).map(([, problem]) => `${path}:${i + 1}: ${problem}`)),
    );
  return [...inFiles(sources, IN_CODE), ...inFiles(documents, IN_DOCUMENTS)];
}
