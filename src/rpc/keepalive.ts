/** Pings on an HTTP/2 connection: a peer that has vanished without a word is found, and its calls are cancelled with it. */
import type { Runtime } from "../lib/runtime.js";
import type { Connection } from "./http2/connection.js";

export interface KeepaliveLimits {
  /** frontend.keepAliveTime */
  readonly everyMs: number;
  /** frontend.keepAliveTimeout */
  readonly answerMsMax: number;
}

export function keepAlive(connection: Connection, runtime: Runtime, limits: KeepaliveLimits): void {
  let stop = (): void => undefined;
  const wait = (): void => {
    stop = runtime.setTimer(limits.everyMs, () => {
      stop = runtime.setTimer(limits.answerMsMax, () => connection.destroy());
      connection.ping(() => {
        stop();
        if (!connection.isClosed) wait();
      });
    });
  };
  connection.onClose(() => stop());
  wait();
}
