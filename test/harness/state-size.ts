import type { RunState } from "../../src/core/workflow/mutable-state.js";
import { fullBufferedSize, fullStateSize } from "../../src/core/workflow/state-size.js";

/** Whether what transitions have added up is what there is. */
export const isSizeTrue = (state: RunState): boolean =>
  state.bufferedCount === [...state.buffered.base.values()].flatMap((b) => b.events).length &&
  state.bufferedSizeBytes === fullBufferedSize(state.buffered) &&
  state.stateSizeBytes === fullStateSize(state);
