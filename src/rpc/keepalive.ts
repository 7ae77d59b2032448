/** Pings on an HTTP/2 session: a peer that has vanished without a word is found, and its calls are cancelled with its session. */
import type { ServerHttp2Session } from "node:http2";
import type { Runtime } from "../lib/runtime.js";

export interface KeepaliveLimits {
  /** frontend.keepAliveTime */
  readonly everyMs: number;
  /** frontend.keepAliveTimeout */
  readonly answerMsMax: number;
}

export function keepAlive(session: ServerHttp2Session, runtime: Runtime, limits: KeepaliveLimits): void {
  let stop = (): void => undefined;
  const wait = (): void => {
    stop = runtime.setTimer(limits.everyMs, () => {
      stop = runtime.setTimer(limits.answerMsMax, () => session.destroy());
      // False: the session cannot ping now, because ten pings are out or it is going; the timer above decides.
      session.ping(() => {
        stop();
        if (!session.destroyed) wait();
      });
    });
  };
  session.on("close", () => stop());
  wait();
}
