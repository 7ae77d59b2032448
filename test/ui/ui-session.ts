/**
 * The official Web UI beside a server, in a headless Chromium: one page, on which actions are performed, and everything that went wrong
 * meanwhile (errors on the console, answers of 400 and above, exceptions of scripts).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";

const WAIT_MS_MAX = 30_000;

/** Of an environment variable, kept in .setup, or on the path. */
function find(variable: string, names: readonly string[]): string | undefined {
  const folders = [join(import.meta.dirname, "../../.setup/clients"), ...(process.env["PATH"] ?? "").split(":")];
  const named = process.env[variable];
  return [...(named === undefined ? [] : [named]), ...folders.flatMap((f) => names.map((n) => join(f, n)))].find((p) => existsSync(p));
}

export const findUiServer = (): string | undefined => find("PERDURE_TEMPORAL_UI_SERVER", ["ui-server"]);
export const findChromium = (): string | undefined => find("PERDURE_CHROMIUM", ["chromium"]);

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

export interface UiSession {
  readonly page: Page;
  /** What went wrong since it was last asked. */
  faults(): string[];
  /** Opens a page of the UI. */
  open(path: string): Promise<void>;
  /** Waits until the page shows it. */
  shows(text: string | RegExp): Promise<void>;
  /** Clicks what has this text, label or selector (of puppeteer's kind). */
  click(selector: string): Promise<void>;
  fill(selector: string, value: string): Promise<void>;
  close(): Promise<void>;
}

export async function openUi(uiServer: string, chromium: string, address: string): Promise<UiSession> {
  const folder = mkdtempSync(join(tmpdir(), "perdure-ui-"));
  const port = await freePort();
  writeFileSync(
    join(folder, "test.yaml"),
    [
      `temporalGrpcAddress: ${address}`,
      "host: 127.0.0.1",
      `port: ${port}`,
      "enableUi: true",
      "defaultNamespace: default",
      "disableNewsFetch: true",
      "cors:",
      "  cookieInsecure: true",
      "  allowOrigins:",
      `    - http://127.0.0.1:${port}`,
    ].join("\n"),
  );
  const ui: ChildProcess = spawn(uiServer, ["--root", folder, "--config", ".", "--env", "test", "start"], { stdio: "ignore" });
  const base = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${base}/healthz`).then((r) => r.ok).catch(() => false))) if (ui.exitCode !== null) throw new Error("the UI server ended");
  const browser: Browser = await puppeteer.launch({
    executablePath: chromium,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    defaultViewport: { width: 1600, height: 1200 },
    userDataDir: join(folder, "browser"),
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(WAIT_MS_MAX);
  const wrong: string[] = [];
  page.on("console", (m) => {
    if (m.type() === "error") wrong.push(`console: ${m.text()}`);
  });
  page.on("pageerror", (e) => wrong.push(`exception: ${e instanceof Error ? e.message : String(e)}`));
  page.on("response", (r) => {
    if (r.status() >= 400) wrong.push(`${r.status()} ${r.request().method()} ${r.url().slice(base.length)}`);
  });
  return {
    page,
    faults: () => wrong.splice(0),
    open: async (path) => {
      await page.goto(base + path, { waitUntil: "domcontentloaded" });
    },
    shows: async (text) => {
      const source = text instanceof RegExp ? text.source : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      await page.waitForFunction((s: string) => new RegExp(s).test((globalThis as never as { document: { body: { innerText: string } } }).document.body.innerText), {}, source);
    },
    click: (selector) => page.locator(selector).click(),
    fill: (selector, value) => page.locator(selector).fill(value),
    close: async () => {
      await browser.close();
      ui.kill("SIGTERM");
    },
  };
}
