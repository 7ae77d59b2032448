/**
 * State of one schedule, and its draft. The record changes with every action; what the schedule is to do (with the payloads of its
 * action) and what its last action left have rows of their own, written when they change.
 */
import { ScheduleDefinitionRecord, ScheduleRecord, ScheduleResultRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import { decode, encode } from "../../api/wire.js";
import { assert } from "../../lib/assert.js";
import { ComponentDraft } from "../component.js";
import { Archetype, type ExecutionState } from "../execution.js";
import type { ComponentWrite } from "../workflow/mutable-state.js";
import { CompiledSpec } from "./spec.js";

/** Component kinds of the store: 32 to 39 are the scheduler's. */
export enum ScheduleKind {
  DEFINITION = 32,
  RESULT = 33,
}

/** Where a buffered start stands (BufferedStartRecord.stage). Numbers are stored. */
export enum Stage {
  NEW = 1,
  /** Its overlap policy makes it wait. */
  DEFERRED = 2,
  READY = 3,
  /** A transfer task is to start it. */
  ASKED = 4,
  RUNNING = 5,
  COMPLETED = 6,
  /** Running, and asked to end for the next one. */
  CANCELLING = 7,
  TERMINATING = 8,
}

const RESULT_NONE = ScheduleResultRecord.create({});

export class ScheduleState implements ExecutionState {
  private compiled: CompiledSpec | undefined;

  constructor(
    readonly key: number,
    public info: ScheduleRecord,
    public definition: ScheduleDefinitionRecord,
    public result: ScheduleResultRecord,
  ) {}

  static load(key: number, record: Uint8Array, live: readonly { kind: number; value: Uint8Array }[]): ScheduleState {
    let definition: ScheduleDefinitionRecord | undefined;
    let result = RESULT_NONE;
    for (const row of live) {
      if (row.kind === ScheduleKind.DEFINITION) definition = decode(ScheduleDefinitionRecord, row.value);
      else if (row.kind === ScheduleKind.RESULT) result = decode(ScheduleResultRecord, row.value);
      else assert(false, `component kind ${row.kind} of a schedule is not known`);
    }
    assert(definition !== undefined, "a schedule has a definition");
    return new ScheduleState(key, decode(ScheduleRecord, record), definition, result);
  }

  get archetype(): Archetype {
    return Archetype.SCHEDULE;
  }

  /** One that is closed is deleted. */
  get isOpen(): boolean {
    return true;
  }

  get isPinned(): boolean {
    return false;
  }

  get waiters(): readonly number[] {
    return [];
  }

  get sizeBytes(): number {
    return 3000 + 300 * this.info.starts.length;
  }

  encodeRecord(): Uint8Array {
    return encode(ScheduleRecord, this.info);
  }

  /** Of the definition as it stands. It was checked before it was accepted. */
  spec(): CompiledSpec {
    this.compiled ??= compiledSpec(this.definition);
    return this.compiled;
  }

  forgetSpec(): void {
    this.compiled = undefined;
  }
}

export class ScheduleDraft extends ComponentDraft {
  /** The draft's own copy. Records inside it are replaced, not changed. */
  readonly info: ScheduleRecord;
  private definitionNow: ScheduleDefinitionRecord;
  private compiled: CompiledSpec | undefined;
  result: ScheduleResultRecord;
  /** Whether lists and describes show something else now. */
  isShownChanged = false;

  constructor(
    readonly base: ScheduleState,
    readonly isNew: boolean,
  ) {
    super();
    this.info = ScheduleRecord.copy(base.info);
    this.definitionNow = base.definition;
    this.result = base.result;
  }

  /** Not counted: whoever waits for a change looks at each. */
  override get changes(): number {
    return 1;
  }

  get definition(): ScheduleDefinitionRecord {
    return this.definitionNow;
  }

  set definition(definition: ScheduleDefinitionRecord) {
    this.definitionNow = definition;
    this.compiled = undefined;
  }

  spec(): CompiledSpec {
    if (this.definitionNow === this.base.definition) return this.base.spec();
    this.compiled ??= compiledSpec(this.definitionNow);
    return this.compiled;
  }

  componentWrites(): ComponentWrite[] {
    const out: ComponentWrite[] = [];
    const op = this.isNew ? "insert" : "put";
    if (this.isNew || this.definitionNow !== this.base.definition)
      out.push({ kind: ScheduleKind.DEFINITION, id: 0, op, value: encode(ScheduleDefinitionRecord, this.definitionNow) });
    if (this.result !== this.base.result) out.push({ kind: ScheduleKind.RESULT, id: 0, op: "put", value: encode(ScheduleResultRecord, this.result) });
    return out;
  }

  accept(): ScheduleState {
    const { base } = this;
    base.info = this.info;
    if (base.definition !== this.definitionNow) {
      base.definition = this.definitionNow;
      base.forgetSpec();
    }
    base.result = this.result;
    return base;
  }
}

function compiledSpec(definition: ScheduleDefinitionRecord): CompiledSpec {
  const { spec } = definition;
  assert(spec !== undefined, "a schedule has a spec");
  return new CompiledSpec(spec);
}
