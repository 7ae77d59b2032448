/** The real server on a file of its own, which a test ends, kills and starts again; what runs at the end of the test is killed. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { GrpcSubject } from "../conformance/grpc-subject.js";
import { Session } from "../conformance/session.js";
import { type ServerProcess, startServer } from "./server-process.js";
import { temporaryDirectory } from "./temporary-directory.js";

export class ServerOnFile {
  readonly file = join(temporaryDirectory(), "data.db");
  private running: { readonly server: ServerProcess; readonly subject: GrpcSubject } | undefined;

  /** @param args of every start */
  constructor(private readonly args: readonly string[] = []) {
    onTestFinished(async () => {
      if (this.running !== undefined) await this.stop("SIGKILL");
    });
  }

  /** A session with the server, as new. */
  async start(...more: readonly string[]): Promise<Session> {
    const server = await startServer(["--db-filename", this.file, ...this.args, ...more]);
    this.running = { server, subject: new GrpcSubject(server.address) };
    return new Session(this.running.subject);
  }

  get address(): string {
    return this.open.server.address;
  }

  /** A session of a script of its own with the server that runs. */
  session(): Session {
    return new Session(this.open.subject);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const { server, subject } = this.open;
    this.running = undefined;
    subject.close();
    return server.stop(signal);
  }

  private get open() {
    if (this.running === undefined) throw new Error("the server does not run");
    return this.running;
  }
}
