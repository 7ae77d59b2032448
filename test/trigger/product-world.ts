/** A server with the product APIs and a worker of the official SDK, for the tests of those APIs. */
import { ApplicationFailure } from "@temporalio/common";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { startServer } from "../harness/server-process.js";

export const QUEUE = "products";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field.
  readonly body: any;
}

export interface ProductWorld {
  readonly address: string;
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  end(): Promise<void>;
}

const activities = {
  async work(value: unknown): Promise<unknown> {
    const { fails } = value as { fails?: string };
    if (fails !== undefined) throw ApplicationFailure.create({ message: fails, type: "Refused" });
    return { worked: value };
  },
};

export async function startWorld(args: readonly string[], env: Record<string, string> = {}): Promise<ProductWorld> {
  const server = await startServer(args, env);
  Runtime.install({ logger: new DefaultLogger("ERROR"), telemetryOptions: { logging: { filter: "OFF", forward: {} } } });
  const connection = await NativeConnection.connect({ address: server.address });
  const workflowsPath = new URL("./workflows.ts", import.meta.url).pathname;
  const worker = await Worker.create({ connection, taskQueue: QUEUE, workflowsPath, activities });
  const running = worker.run();
  return {
    address: server.address,
    async ask(method, path, body, headers = {}) {
      const init = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
      const response = await fetch(`http://${server.address}${path}`, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...init,
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type") === "application/json";
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
    },
    async end() {
      worker.shutdown();
      await running;
      await connection.close();
      await server.stop();
    },
  };
}
