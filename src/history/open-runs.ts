/** Executions that clocks have to know of: those that are open, and the sources of transfer tasks that are not done. */
import { ExecutionHeader, TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { decode } from "../api/wire.js";
import { Archetype } from "../core/execution.js";
import type { ExecutionAddress } from "../core/input.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { resolveQuery } from "../core/visibility/resolve.js";
import { Kind } from "../core/workflow/mutable-state.js";
import type { Store } from "../persistence/store.js";

const PAGE = 1_000;
/** Those of the server's own divisions, too. */
const OPEN = ["TemporalNamespaceDivision is null and CloseTime is null", "TemporalNamespaceDivision is not null and CloseTime is null"];

export function addressOf(info: { namespaceId: string; workflowId: string; runId: string }, archetype: Archetype): ExecutionAddress {
  const { namespaceId, workflowId, runId } = info;
  return archetype === Archetype.WORKFLOW ? { namespaceId, workflowId, runId } : { namespaceId, workflowId, runId, archetype };
}

export async function* openRuns(store: Store, namespace: NamespaceView): AsyncGenerator<ExecutionAddress> {
  for (const query of OPEN) {
    const { filter, orderBy } = resolveQuery(query, namespace);
    let after: Uint8Array | undefined;
    do {
      const page = await store.visibility.list({ namespaceKey: namespace.key, filter, orderBy }, PAGE, after);
      for (const row of page.rows) {
        const found = await store.loadExecution(row.key);
        if (found === undefined) continue;
        const header = decode(ExecutionHeader, found.record);
        yield addressOf(header, header.archetype);
      }
      after = page.next;
    } while (after !== undefined);
  }
}

export async function transferSources(store: Store): Promise<ExecutionAddress[]> {
  const out: ExecutionAddress[] = [];
  let after: number | undefined;
  for (;;) {
    const rows = await store.listComponents(0, Kind.TRANSFER, after, PAGE);
    for (const row of rows) {
      const record = decode(TransferRecord, row.value);
      const source = { namespaceId: record.sourceNamespaceId, workflowId: record.sourceWorkflowId, runId: record.sourceRunId };
      out.push(addressOf(source, record.sourceArchetype));
    }
    if (rows.length < PAGE) return out;
    after = Number(rows.at(-1)?.id);
  }
}
