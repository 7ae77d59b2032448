/**
 * An S3 server (s3rver) on a free port, as a process of its own: it makes the tokens of its pages with a cipher that OpenSSL 3 has only in
 * its legacy provider, which is a choice for a whole process.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";

const PROGRAM = `
  const S3rver = require("s3rver");
  const [directory, bucket] = process.argv.slice(1);
  new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory, configureBuckets: [{ name: bucket }] }).run().then(({ port }) => console.log(port));
`;

export interface S3Server {
  readonly endpoint: string;
  stop(): Promise<void>;
}

export async function startS3(directory: string, bucket: string): Promise<S3Server> {
  const child = spawn(process.execPath, ["--openssl-legacy-provider", "-e", PROGRAM, directory, bucket], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (line: Buffer) => resolve(line.toString().trim()));
    void exited.then(() => reject(new Error("the S3 server ended")));
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    stop: () => {
      child.kill();
      return exited;
    },
  };
}
