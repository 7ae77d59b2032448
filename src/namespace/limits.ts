/** The settings that the namespace registry reads. */
import { type Limits, SETTINGS } from "../config/limits.js";

export interface NamespaceLimits {
  /** Microseconds: system.namespaceMinRetentionLocal. */
  readonly retentionMin: number;
  readonly badBinariesMax: number;
  readonly searchAttributesPerTypeMax: number;
  /** Name of the setting behind it, for the error's text. */
  readonly searchAttributesPerTypeSetting: string;
}

/** The official server's frontend.maxBadBinaries. */
const BAD_BINARIES_MAX = 10;

export function namespaceLimits(limits: Limits): NamespaceLimits {
  return {
    retentionMin: limits.namespaceRetentionMsMin * 1000,
    badBinariesMax: BAD_BINARIES_MAX,
    searchAttributesPerTypeMax: limits.searchAttributesPerTypeMax,
    searchAttributesPerTypeSetting: SETTINGS.searchAttributesPerTypeMax.key,
  };
}
