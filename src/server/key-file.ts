/** The API keys of a database file that no server has open. */
import { ApiKeys } from "../authorization/api-keys.js";
import type { Logger } from "../lib/runtime.js";
import { SqliteStore } from "../persistence/sqlite/store.js";
import { LockFile } from "./lock-file.js";
import { systemRuntime } from "./runtime.js";

/** @throws Error with a text for the user, such as that a server has the file. */
export async function openKeys(file: string, logger: Logger): Promise<{ keys: ApiKeys; close: () => Promise<void> }> {
  const lock = LockFile.acquire(file);
  try {
    const store = await SqliteStore.open({ file, durability: "full", commitThread: "engine", pragmas: [], logger, onFatal: fail });
    const rows = await store.loadRegistry();
    const keys = new ApiKeys({ rows, commit: (batch) => store.commit(batch), runtime: systemRuntime });
    return {
      keys,
      close: async () => {
        await store.close();
        lock.release();
      },
    };
  } catch (e) {
    lock.release();
    throw e;
  }
}

function fail(error: Error): never {
  throw error;
}
