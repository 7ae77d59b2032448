/** The whole server but its port, with callers known by their API keys, on a clock that the test moves; and calls of any RPC. */
import { SignJWT } from "jose";
import { CloudService } from "../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import type { AccountAccess_Role as Role } from "../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import type { Call } from "../../src/api/call.js";
import { Code, ServiceError } from "../../src/api/service-error.js";
import { decode, encode, type Init, type MessageType } from "../../src/api/wire.js";
import { keyWithRole } from "../../src/authorization/api-keys.js";
import { ClientCertificates } from "../../src/authorization/authenticator.js";
import { JwtVerifier } from "../../src/authorization/jwt.js";
import { type Config, defaultConfig } from "../../src/config/dynamic-config.js";
import type { Limits } from "../../src/config/limits.js";
import { FakeRuntime } from "../../src/lib/fake-runtime.js";
import { MemoryStore } from "../../src/persistence/memory/store.js";
import { Chain } from "../../src/rpc/interceptor/chain.js";
import { type Assembled, assemble } from "../../src/server/assemble.js";

type Methods = typeof CloudService.methods;
type InputOf<M> = M extends { input: MessageType<infer I> } ? I : never;
type OutputOf<M> = M extends { output: MessageType<infer O> } ? O : never;

export const W = WorkflowService.methods;
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const SECRET = Buffer.from("a secret of thirty-two bytes and more");
const DEADLINE_MS = 60_000;

export class TestCall implements Call {
  readonly deadlineMs: number;
  identity: Call["identity"];
  rateLimit: Call["rateLimit"];
  cancelled = false;
  /** Rejects when the server ends the call. */
  readonly aborted: Promise<never>;
  private refuse!: (e: ServiceError) => void;
  private readonly listeners = new Set<() => void>();
  constructor(
    readonly path: string,
    private readonly headers: Readonly<Record<string, string>>,
    nowMicros: number,
    readonly peer = "10.0.0.1:1",
  ) {
    this.deadlineMs = nowMicros / 1000 + DEADLINE_MS;
    this.aborted = new Promise((_, reject) => {
      this.refuse = reject;
    });
    this.aborted.catch(() => undefined);
  }
  metadata(key: string): string | undefined {
    return this.headers[key];
  }
  onCancel(f: () => void): () => void {
    this.listeners.add(f);
    return () => this.listeners.delete(f);
  }
  abort(error: ServiceError): void {
    this.refuse(error);
    this.cancelled = true;
    for (const f of this.listeners) f();
  }
}

export interface Who {
  /** An API key; undefined: nobody. */
  readonly token: string | undefined;
}

export class CloudWorld {
  readonly runtime = new FakeRuntime("free");
  readonly store = new MemoryStore();
  private config: Config = defaultConfig();
  private api!: Assembled;
  private chain!: Chain;
  /** The administrator of the server, by a key that stands for itself. */
  admin: Who = { token: undefined };
  private jwt: JwtVerifier | undefined;

  static async start(): Promise<CloudWorld> {
    const world = new CloudWorld();
    world.jwt = await JwtVerifier.create({
      ...{ algorithms: ["HS256"], issuer: undefined, audience: undefined, clockSkewMs: 0, jwksUrl: undefined, runtime: world.runtime },
      mapping: { permissions: "permissions", namespace: "namespace", subject: "sub", pattern: undefined },
    });
    world.jwt.setSecret(SECRET);
    await world.open();
    const keys = (world.api.gateway as unknown as { apiKeys: { create(k: object): Promise<{ token: string }> } }).apiKeys;
    world.admin = { token: (await keys.create(keyWithRole("admin", "admin", [], 0))).token };
    return world;
  }

  private async open(): Promise<void> {
    this.api = await assemble({
      ...{ store: this.store, runtime: this.runtime, logger: quiet, config: this.config, liveConfig: () => this.config },
      ...{ namespaces: ["one", "two"], searchAttributes: {}, address: "127.0.0.1:7233" },
      auth: { jwt: this.jwt, certificates: new ClientCertificates([]), publicSubjects: ["health", "system-info"], close: () => undefined },
      onBug: (report) => {
        throw report.error;
      },
      onFatal: (e) => {
        throw e;
      },
    });
    this.chain = new Chain(this.api.interceptors, quiet);
  }

  /** The same rows, read by a new process. */
  async restart(): Promise<void> {
    await this.api.drain();
    await this.open();
  }

  set(limits: Partial<Limits>): void {
    this.config = { version: this.config.version + 1, limits: { ...this.config.limits, ...limits } };
  }

  async rpc<I, O>(
    method: { readonly path: string; readonly input: MessageType<I>; readonly output: MessageType<O> },
    request: Init<I>,
    { token }: Who = this.admin,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<O> {
    const found = this.api.methods.get(method.path);
    if (found === undefined) throw new Error(method.path);
    const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const call = new TestCall(method.path, { ...headers, ...authorization }, this.runtime.nowMicros());
    // By way of the wire, as requests come and answers leave.
    const message = decode(method.input, encode(method.input, request));
    const reply = await Promise.race([this.chain.run(found, message, call), call.aborted]);
    return decode(method.output, encode(method.output, reply as Init<O>));
  }

  call<K extends keyof Methods>(
    name: K,
    request: Init<InputOf<Methods[K]>>,
    who?: Who,
    headers?: Record<string, string>,
  ): Promise<OutputOf<Methods[K]>> {
    return this.rpc(CloudService.methods[name] as never, request as never, who, headers) as Promise<OutputOf<Methods[K]>>;
  }

  /** "OK", or "CODE: text". */
  outcome<K extends keyof Methods>(name: K, request: Init<InputOf<Methods[K]>>, who?: Who, headers?: Record<string, string>): Promise<string> {
    return outcomeOf(this.call(name, request, who, headers));
  }

  /** A person with a token of single sign-on. */
  async signedOn(sub: string, permissions: readonly string[] = []): Promise<Who> {
    const exp = this.runtime.now / 1_000_000 + 3600;
    return { token: await new SignJWT({ sub, permissions, exp }).setProtectedHeader({ alg: "HS256" }).sign(SECRET) };
  }

  async user(email: string, access: Access): Promise<string> {
    return (await this.call("CreateUser", { spec: { email, access: accessOf(access) } })).userId;
  }

  async serviceAccount(name: string, access: Access): Promise<string> {
    return (await this.call("CreateServiceAccount", { spec: { name, access: accessOf(access) } })).serviceAccountId;
  }

  async key(ownerType: 1 | 2, ownerId: string, by?: Who): Promise<Who & { readonly id: string }> {
    const { keyId: id, token } = await this.call("CreateApiKey", { spec: { ownerId, ownerType, displayName: "key" } }, by);
    return { id, token };
  }
}

export interface Access {
  readonly role: Role;
  /** 1 admin, 2 write, 3 read. */
  readonly namespaces?: Readonly<Record<string, 1 | 2 | 3>>;
  readonly customRoles?: readonly string[];
}

export const accessOf = ({ role, namespaces = {}, customRoles = [] }: Access) => ({
  accountAccess: { role, customRoles },
  namespaceAccesses: Object.fromEntries(Object.entries(namespaces).map(([name, permission]) => [name, { permission }])),
});

export async function outcomeOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
    return "OK";
  } catch (e) {
    return e instanceof ServiceError ? `${Code[e.code]}: ${e.message}` : String(e);
  }
}

export const codeOf = async (answer: Promise<unknown>): Promise<string> => (await outcomeOf(answer)).split(":")[0] as string;
