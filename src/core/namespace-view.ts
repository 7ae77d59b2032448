/** What the core may know of a namespace: a frozen snapshot, by reference, replaced as a whole when the namespace changes. */
import type { WorkflowRule } from "../../gen/wire/temporal/api/rules/v1/message.js";

export interface SearchAttributeType {
  /** Positive: custom (SearchAttributeDefinition.id). Negative: predefined. */
  readonly id: number;
  /** temporal.api.enums.v1.IndexedValueType */
  readonly type: number;
}

export interface NamespaceView {
  readonly id: string;
  readonly name: string;
  /** Short number used in the store's keys. */
  readonly key: number;
  /** Microseconds. */
  readonly retention: number;
  /** temporal.api.enums.v1.NamespaceState */
  readonly state: number;
  /** Whether closed runs are to be archived before they are deleted. */
  readonly isArchiving?: boolean;
  /** Custom attributes by name. */
  readonly searchAttributes: ReadonlyMap<string, SearchAttributeType>;
  /** Undefined when there are none. */
  readonly workflowRules?: readonly WorkflowRule[] | undefined;
}

/** All namespaces of the server at one version. */
export interface NamespaceDirectory {
  byName(name: string): NamespaceView | undefined;
  byId(id: string): NamespaceView | undefined;
}
