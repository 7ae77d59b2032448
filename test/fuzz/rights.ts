/**
 * What must hold of each answer when callers have rights: whoever may not ask is refused as such, in the audit log, and learns nothing
 * of namespaces that are not theirs; whoever may is not refused as such; no log has a secret.
 */
import { WorkflowService } from "../../gen/wire/temporal/api/workflowservice/v1/service.js";
import type { AuditRecord } from "../../src/authorization/audit.js";
import type { MemoryStore } from "../../src/persistence/memory/store.js";
import type { WholeServer } from "../harness/whole-server.js";
import { type Caller, type Callers, mayAsk, mayNeverAsk, maySee } from "./callers.js";
import type { Answer } from "./doors.js";
import type { FuzzRequest } from "./requests.js";

const NAMESPACES = ["one", "two", "unseen"] as const;
const KNOWN: ReadonlySet<string> = new Set(["one", "two"]);
const markOf = (namespace: string): string => `of-${namespace}-alone`;
const REFUSED: ReadonlySet<string> = new Set(["PERMISSION_DENIED", "403"]);
const UNKNOWN: ReadonlySet<string> = new Set(["UNAUTHENTICATED", "401"]);
/** A request that cannot be read, or whose namespace cannot be one, is refused before it is known what it asks for. */
const UNREADABLE: ReadonlySet<string> = new Set(["INVALID_ARGUMENT", "400"]);
const UNAUTHORIZED = "Request unauthorized.";
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** Of a workflow that another namespace's has started, whose history names it. */
const CHILD = "child";

type Runs = Map<string, Map<string, number>>;

export class Rights {
  denied = 0;
  allowed = 0;
  private records = 0;
  private recordsBefore = 0;
  private runs: Runs = new Map();
  /** By the number that rows have, and by the id. */
  private readonly namespaceOf = new Map<string, string>();
  private readonly runOf = new Map<string, string>();

  constructor(
    private readonly callers: Callers,
    private readonly problems: string[],
  ) {}

  /** Something in every namespace that others must not see. */
  async furnish(server: WholeServer, store: MemoryStore): Promise<void> {
    this.runs = (store as unknown as { tables: { runs: Runs } }).tables.runs;
    const { StartWorkflowExecution: start } = WorkflowService.methods;
    const call = { path: "", deadlineMs: undefined, peer: "a:1", cancelled: false, metadata: () => undefined, onCancel: () => () => undefined };
    for (const namespace of NAMESPACES) {
      const view = server.api.gateway.namespaces.view(namespace);
      this.namespaceOf.set(view.id, namespace);
      this.namespaceOf.set(String(view.key), namespace);
      for (let i = 0; i < 6; i++) {
        const mark = `${markOf(namespace)}-${i}`;
        const request = {
          namespace,
          workflowId: i < 3 ? `w${i}` : mark,
          workflowType: { name: mark },
          taskQueue: { name: `q${i % 3}` },
          identity: mark,
        };
        await server.api.methods.get(start.path)?.handler?.(start.input.create({ ...request, requestId: mark }), call);
      }
    }
  }

  logged(fields: object, message = ""): void {
    const text = message + JSON.stringify(fields);
    if (this.callers.isSecretIn(text)) this.problems.push(`a secret in the log: ${text}`);
  }

  audited(record: AuditRecord): void {
    this.records++;
    const text = JSON.stringify(record);
    if (this.callers.isSecretIn(text)) this.problems.push(`a secret in the audit log: ${text}`);
  }

  isAllowed(caller: Caller, { about }: FuzzRequest): boolean {
    return about !== undefined && mayAsk(caller, about);
  }

  isDenied(caller: Caller, { about }: FuzzRequest): boolean {
    return about?.isIntact === true && !mayAsk(caller, about);
  }

  /** Undefined: nothing. */
  wrongWith(caller: Caller, request: FuzzRequest, answer: Answer, outcome: string): string | undefined {
    const { about } = request;
    const recorded = this.records - this.recordsBefore;
    this.recordsBefore = this.records;
    const shown = this.shownOf(caller, request, answer);
    if (shown !== undefined) return `is shown ${shown}`;
    // A connection that lay idle for too long was closed before the request was read.
    if (about === undefined || outcome === "ended") return undefined;
    const isRefusal = REFUSED.has(outcome) || UNKNOWN.has(outcome);
    if (!about.isIntact) return outcome === "OK" && mayNeverAsk(caller, about) ? "may not ask, whatever was changed" : undefined;
    if (!mayAsk(caller, about)) {
      this.denied++;
      if (caller.grants === undefined ? UNKNOWN.has(outcome) : isRefusal)
        return recorded === 0 && !isRoute(request) ? "is refused without a record" : undefined;
      return UNREADABLE.has(outcome) && isUnreadable(request) ? undefined : "may not ask";
    }
    if (outcome === "OK") this.allowed++;
    // A namespace may be closed to keys, and CloudService looks at what a request holds.
    const isSure = caller.isWhole && caller.name.startsWith("token") && about.namespaces.every((n) => KNOWN.has(n));
    const isRefused = REFUSED.has(outcome) && `${answer.grpcMessage}${answer.body.toString("latin1")}`.replaceAll("%20", " ").includes(UNAUTHORIZED);
    return isSure && isRefused && !about.row.startsWith("CloudService.") ? "may ask, and is refused" : undefined;
  }

  /** What of a namespace that the caller may not see is in the answer, and was not in the request. */
  private shownOf(caller: Caller, { wire }: FuzzRequest, { body, grpcMessage }: Answer): string | undefined {
    const text = grpcMessage + body.toString("latin1");
    const sent = Buffer.isBuffer(wire)
      ? wire.toString("latin1")
      : `${wire.path} ${JSON.stringify(wire.headers)} ${wire.body?.toString("latin1") ?? ""}`;
    for (const n of NAMESPACES) {
      if (maySee(caller, n)) continue;
      for (const form of formsOf(markOf(n))) if (text.includes(form) && !sent.includes(form)) return markOf(n);
    }
    for (const [id] of text.matchAll(UUID)) {
      const namespace = this.namespaceOf.get(id) ?? this.namespaceOfRun(id);
      if (namespace !== undefined && !maySee(caller, namespace) && !sent.includes(id)) return `${id} of ${namespace}`;
    }
    return undefined;
  }

  private namespaceOfRun(runId: string): string | undefined {
    const known = this.runOf.get(runId);
    if (known !== undefined) return known;
    for (const [address, ids] of this.runs) {
      const slash = address.indexOf("/");
      const namespace = this.namespaceOf.get(address.slice(0, slash));
      if (namespace === undefined || address.slice(slash + 1) === CHILD) continue;
      for (const id of ids.keys()) this.runOf.set(id, namespace);
    }
    return this.runOf.get(runId);
  }
}

/** As it is, and as it is within base64. */
function formsOf(mark: string): string[] {
  const inBase64 = [0, 1, 2].map((before) => {
    const text = Buffer.from("x".repeat(before) + mark).toString("base64");
    return text.slice(before === 0 ? 0 : 4, -4);
  });
  return [mark, ...inBase64];
}

const isRoute = ({ rpc }: FuzzRequest): boolean => rpc === "";
/** What is checked before rights are: the length of a name, the fields of JSON. */
const isUnreadable = ({ protocol, about }: FuzzRequest): boolean =>
  protocol === "http-api" || protocol === "rest" || about?.namespaces.some((n) => n.length > 1000) === true;
