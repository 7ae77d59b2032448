/**
 * `node scripts/run-ts.mjs <file.ts> [arguments]`: runs a program of test/ or bench/ that is written in TypeScript. It is bundled into
 * .setup/run/, inside the tree, so that packages resolve; workers of src/ are bundled beside it.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleOptions, root, setup, workerEntries } from "./setup.mjs";

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: node scripts/run-ts.mjs <file.ts> [arguments]");
  process.exit(1);
}

/** Programs outside src/ find their fixtures by where their source lies, not by where the bundle does. */
const sourcePlaces = {
  name: "source-places",
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const at = relative(root, path);
      if (at.startsWith("src/") || at.startsWith("gen/") || at.startsWith("..")) return undefined;
      const contents = readFileSync(path, "utf8")
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href))
        .replaceAll("import.meta.dirname", JSON.stringify(resolve(path, "..")))
        .replaceAll("import.meta.filename", JSON.stringify(path));
      return { contents, loader: "ts" };
    });
  },
};

await setup({ only: ["packages", "generate"] });
const { build } = await import(pathToFileURL(join(root, "node_modules/esbuild/lib/main.js")).href);
const outdir = join(root, ".setup/run", `${basename(file, ".ts")}-${process.pid}`);
mkdirSync(outdir, { recursive: true });
process.on("exit", () => rmSync(outdir, { recursive: true, force: true }));
await build({
  ...bundleOptions(),
  entryPoints: { entry: resolve(file), ...Object.fromEntries(workerEntries().map((w) => [basename(w, ".ts"), join(root, w)])) },
  outdir,
  // Test programs use official SDKs, which find their own files by path.
  packages: "external",
  sourcemap: "linked",
  plugins: [sourcePlaces],
});
process.setSourceMapsEnabled(true);
process.argv.splice(1, process.argv.length - 1, resolve(file), ...rest);
await import(pathToFileURL(join(outdir, "entry.js")).href);
