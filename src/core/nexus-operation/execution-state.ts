/**
 * State of a standalone Nexus operation, and its draft. The record changes with every attempt; what the operation was started with
 * (its input) and how it ended have rows of their own, written once.
 */
import { NexusExecutionRecord, NexusOutcomeRecord, NexusRequestRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { NexusOperationExecutionStatus as Status } from "../../../gen/wire/temporal/api/enums/v1/nexus.js";
import { decode, encode } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { ComponentDraft } from "../component.js";
import { Archetype, type ExecutionState } from "../execution.js";
import type { ComponentWrite } from "../workflow/mutable-state.js";

/** Component kinds of the store: 56 to 59 are those of standalone Nexus operations. */
export enum NexusExecutionKind {
  REQUEST = 56,
  OUTCOME = 57,
}

export class NexusExecutionState implements ExecutionState {
  constructor(
    readonly key: number,
    public info: NexusExecutionRecord,
    readonly request: NexusRequestRecord,
    public outcome: NexusOutcomeRecord | undefined,
  ) {}

  static load(key: number, record: Uint8Array, live: readonly { kind: number; value: Uint8Array }[]): NexusExecutionState {
    let request: NexusRequestRecord | undefined;
    let outcome: NexusOutcomeRecord | undefined;
    for (const row of live) {
      if (row.kind === NexusExecutionKind.REQUEST) request = decode(NexusRequestRecord, row.value);
      else if (row.kind === NexusExecutionKind.OUTCOME) outcome = decode(NexusOutcomeRecord, row.value);
      else assert(false, `component kind ${row.kind} of a Nexus operation is not known`);
    }
    assert(request !== undefined, "a Nexus operation has a request");
    return new NexusExecutionState(key, decode(NexusExecutionRecord, record), request, outcome);
  }

  get archetype(): Archetype {
    return Archetype.NEXUS_OPERATION;
  }

  get isOpen(): boolean {
    return this.info.status === Status.RUNNING;
  }

  get isPinned(): boolean {
    return false;
  }

  get waiters(): readonly number[] {
    return [];
  }

  get changes(): number {
    return this.info.stateTransitionCount;
  }

  get sizeBytes(): number {
    return 2000 + (this.request.input?.length ?? 0) + (this.outcome?.result?.length ?? 0);
  }

  encodeRecord(): Uint8Array {
    return encode(NexusExecutionRecord, this.info);
  }
}

export class NexusExecutionDraft extends ComponentDraft {
  /** The draft's own copy. Records inside it are replaced, not changed. */
  readonly info: NexusExecutionRecord;
  outcome: NexusOutcomeRecord | undefined;
  /** Whether lists show something else now. */
  isShownChanged = false;
  /** Only a look at its deadlines. */
  isUnchanged = false;

  constructor(
    readonly base: NexusExecutionState,
    readonly isNew: boolean,
  ) {
    super();
    this.info = NexusExecutionRecord.copy(base.info);
    this.outcome = base.outcome;
  }

  get request(): NexusRequestRecord {
    return this.base.request;
  }

  get isOpen(): boolean {
    return this.info.status === Status.RUNNING;
  }

  override get changes(): number {
    return this.info.stateTransitionCount;
  }

  componentWrites(): ComponentWrite[] {
    const out: ComponentWrite[] = [];
    if (this.isNew) out.push({ kind: NexusExecutionKind.REQUEST, id: 0, op: "insert", value: encode(NexusRequestRecord, this.request) });
    if (this.outcome !== undefined && this.outcome !== this.base.outcome)
      out.push({ kind: NexusExecutionKind.OUTCOME, id: 0, op: "put", value: encode(NexusOutcomeRecord, this.outcome) });
    return out;
  }

  accept(): NexusExecutionState {
    this.base.info = this.info;
    this.base.outcome = this.outcome;
    return this.base;
  }
}
