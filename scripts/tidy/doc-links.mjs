/** Links of the docs, and paths that they name in backticks, exist; each page has one title. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { root } from "../setup.mjs";

/** What a reader would open: a path into one of our own folders, without placeholders. */
const PATH = /^(?:src|docs|scripts|test|bench|proto|bin)\/[\w./-]+$/;

function slug(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
}

const titlesOf = (text) => text.replace(/^```[\s\S]*?^```/gm, "").match(/^#+ .*$/gm) ?? [];

export function docLinks({ documents }) {
  const problems = [];
  for (const { path, text } of documents) {
    const titles = titlesOf(text);
    const main = titles.filter((t) => t.startsWith("# ")).length;
    if (main !== 1) problems.push(`${path}: has ${main} first-level titles; one is right`);
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file, anchor] = link.split("#");
      const target = file === "" ? path : posix.normalize(posix.join(dirname(path), file));
      if (!existsSync(join(root, target))) problems.push(`${path}: link to ${link}, which does not exist`);
      else if (anchor !== undefined && target.endsWith(".md")) {
        const slugs = titlesOf(readFileSync(join(root, target), "utf8")).map((t) => slug(t.replace(/^#+ /, "")));
        if (!slugs.includes(anchor)) problems.push(`${path}: link to ${link}: no such heading`);
      }
    }
    for (const [, name] of text.matchAll(/`([^`\n]+)`/g))
      if (PATH.test(name) && !existsSync(join(root, name))) problems.push(`${path}: names ${name}, which does not exist`);
  }
  return problems;
}
