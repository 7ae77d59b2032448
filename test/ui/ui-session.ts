/**
 * The official Web UI beside a server, in a Chromium without a window: one page, on which actions are performed, and everything that
 * went wrong meanwhile: errors on the console, exceptions of scripts, answers of 400 and above.
 */
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../harness/free-port.js";
import { temporaryDirectory } from "../harness/temporary-directory.js";
import { openTab } from "./chromium.js";

const WAIT_MS_MAX = 15_000;

/** Of an environment variable, kept in .setup, or on the path. */
function find(variable: string, name: string): string | undefined {
  const folders = [join(import.meta.dirname, "../../.setup/clients"), ...(process.env["PATH"] ?? "").split(":")];
  const named = process.env[variable];
  return [...(named === undefined ? [] : [named]), ...folders.map((f) => join(f, name))].find((p) => existsSync(p));
}

export const findUiServer = (): string | undefined => find("PERDURE_TEMPORAL_UI_SERVER", "ui-server");
export const findChromium = (): string | undefined => find("PERDURE_CHROMIUM", "chromium");

export interface UiSession {
  /** What went wrong since it was last asked. */
  faults(): string[];
  open(path: string): Promise<void>;
  /** Waits until an expression is true on the page. */
  until(expression: string): Promise<void>;
  /** Waits until the page shows the text. */
  shows(text: string): Promise<void>;
  /** Waits until it no longer does. */
  hides(text: string): Promise<void>;
  /** Clicks the first element of a selector that can be seen and, if a text is given, has it as its text. */
  click(selector: string, text?: string): Promise<void>;
  fill(selector: string, value: string): Promise<void>;
  evaluate(expression: string): Promise<unknown>;
  close(): Promise<void>;
}

export async function openUi(uiServer: string, chromium: string, address: string): Promise<UiSession> {
  const folder = temporaryDirectory();
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const settings = [
    `temporalGrpcAddress: ${address}`,
    "host: 127.0.0.1",
    `port: ${port}`,
    "enableUi: true",
    "defaultNamespace: default",
    // Nothing is asked of anybody else.
    "disableNewsFetch: true",
    "cors:",
    "  cookieInsecure: true",
    "  allowOrigins:",
    `    - ${base}`,
  ];
  writeFileSync(join(folder, "test.yaml"), settings.join("\n"));
  const ui = spawn(uiServer, ["--root", folder, "--config", ".", "--env", "test", "start"], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => ui.once("exit", () => resolve()));
  const isUp = () =>
    fetch(`${base}/healthz`).then(
      (r) => r.ok,
      () => false,
    );
  while (!(await isUp())) if (ui.exitCode !== null) throw new Error("the UI's server ended");

  const tab = await openTab(chromium);
  const wrong: string[] = [];
  tab.on("Runtime.consoleAPICalled", (p) => {
    if (p.type === "error")
      wrong.push(`console: ${p.args.map((a: { value?: unknown; description?: string }) => a.value ?? a.description).join(" ")}`);
  });
  tab.on("Log.entryAdded", (p) => {
    if (p.entry.level === "error") wrong.push(`log: ${p.entry.text} ${(p.entry.url ?? "").replace(base, "")}`);
  });
  tab.on("Runtime.exceptionThrown", (p) => wrong.push(`exception: ${p.exceptionDetails.exception?.description ?? p.exceptionDetails.text}`));
  tab.on("Network.responseReceived", (p) => {
    if (p.response.status >= 400) wrong.push(`${p.response.status} ${p.response.url.replace(base, "")}`);
  });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await tab.send(`${domain}.enable`);

  const evaluate = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await tab.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  };
  const until = async (expression: string): Promise<void> => {
    const last = Date.now() + WAIT_MS_MAX;
    // A page that is on its way to another one has nothing to say.
    while ((await evaluate(`(() => { try { return Boolean(${expression}); } catch { return false; } })()`).catch(() => false)) !== true)
      if (Date.now() > last)
        throw new Error(`the page never came to ${expression}; it shows: ${await evaluate("document.body.innerText.slice(0, 1500)")}`);
  };
  const find = (selector: string, text: string | undefined): string =>
    `[...document.querySelectorAll(${JSON.stringify(selector)})].find((e) => e.getClientRects().length > 0 && !e.disabled${text === undefined ? "" : ` && e.innerText.trim() === ${JSON.stringify(text)}`})`;
  return {
    faults: () => wrong.splice(0),
    open: async (path) => {
      await tab.send("Page.navigate", { url: base + path });
    },
    until,
    evaluate,
    shows: (text) => until(`document.body.innerText.includes(${JSON.stringify(text)})`),
    hides: (text) => until(`!document.body.innerText.includes(${JSON.stringify(text)})`),
    click: async (selector, text) => {
      await until(find(selector, text));
      await evaluate(`${find(selector, text)}.click()`);
    },
    fill: async (selector, value) => {
      await until(find(selector, undefined));
      await evaluate(`${find(selector, undefined)}.focus()`);
      await evaluate("document.activeElement.select?.()");
      await tab.send("Input.insertText", { text: value });
    },
    close: async () => {
      await tab.close();
      ui.kill("SIGTERM");
      await ended;
    },
  };
}
