/** placeholder contract: apply */
import type { Env, ExecutionAddress, InputKind, InputOf } from "./input.js";
import type { Loaded, Outcome } from "./transition.js";
import type { RunState } from "./workflow/mutable-state.js";

/** The runs of one workflow id that are in memory. The addressed run is loaded before `apply`, or known not to exist. */
export interface Chain {
  /** The run of greatest run id. */
  current(): RunState | undefined;
  run(runId: string): RunState | undefined;
}

export declare function apply<K extends InputKind>(chain: Chain, address: ExecutionAddress, input: InputOf<K>, env: Env, loaded: Loaded): Outcome<K>;
