/** Chromium without a window, spoken to in its DevTools protocol over a pipe: file descriptors 3 and 4, a zero byte behind each message. */
import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { temporaryDirectory } from "../harness/temporary-directory.js";

// biome-ignore lint/suspicious/noExplicitAny: answers have a form for each method
type Answer = any;

export interface Tab {
  send(method: string, params?: object): Promise<Answer>;
  on(event: string, seen: (params: Answer) => void): void;
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Answer;
  readonly result?: Answer;
  readonly error?: { message: string };
}

/** One tab, of a profile of its own. */
export async function openTab(chromium: string): Promise<Tab> {
  const profile = temporaryDirectory();
  const args = ["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
  const child = spawn(chromium, [...args, `--user-data-dir=${profile}`, "--window-size=1600,1400", "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const waiting = new Map<number, { resolve: (a: Answer) => void; reject: (e: Error) => void }>();
  const seers = new Map<string, ((params: Answer) => void)[]>();
  const take = (m: Message): void => {
    if (m.id === undefined) for (const seen of seers.get(m.method ?? "") ?? []) seen(m.params);
    else {
      const asked = waiting.get(m.id);
      waiting.delete(m.id);
      if (m.error === undefined) asked?.resolve(m.result);
      else asked?.reject(new Error(m.error.message));
    }
  };
  let rest = "";
  output.setEncoding("utf8");
  output.on("data", (text: string) => {
    const messages = (rest + text).split("\0");
    rest = messages.pop() ?? "";
    for (const m of messages) take(JSON.parse(m) as Message);
  });
  let ids = 0;
  const call = (method: string, params: object, sessionId?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      waiting.set(++ids, { resolve, reject });
      input.write(`${JSON.stringify({ id: ids, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
    });
  const { targetInfos } = await call("Target.getTargets", {});
  const page = (targetInfos as { type: string; targetId: string }[]).find((t) => t.type === "page");
  const { targetId } = page ?? (await call("Target.createTarget", { url: "about:blank" }));
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  return {
    send: (method, params = {}) => call(method, params, sessionId),
    on: (event, seen) => seers.set(event, [...(seers.get(event) ?? []), seen]),
    close: async () => {
      void call("Browser.close", {}).catch(() => undefined);
      await exited;
    },
  };
}
