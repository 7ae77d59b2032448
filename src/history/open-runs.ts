/** Executions that clocks have to know of: those that are open, and the sources of transfer tasks that are not done. */
import { TransferRecord } from "../../gen/wire/perdure/persistence/v1/records.js";
import { decode } from "../api/wire.js";
import type { NamespaceView } from "../core/namespace-view.js";
import { resolveQuery } from "../core/visibility/resolve.js";
import { Kind } from "../core/workflow/mutable-state.js";
import type { Store } from "../persistence/store.js";

const PAGE = 1_000;

export async function* openRuns(store: Store, namespace: NamespaceView): AsyncGenerator<{ workflowId: string; runId: string }> {
  const { filter, orderBy } = resolveQuery("CloseTime is null", namespace);
  let after: Uint8Array | undefined;
  do {
    const page = await store.visibility.list({ namespaceKey: namespace.key, filter, orderBy }, PAGE, after);
    yield* page.rows;
    after = page.next;
  } while (after !== undefined);
}

export async function transferSources(store: Store): Promise<{ namespaceId: string; workflowId: string; runId: string }[]> {
  const out: { namespaceId: string; workflowId: string; runId: string }[] = [];
  let after: number | undefined;
  for (;;) {
    const rows = await store.listComponents(0, Kind.TRANSFER, after, PAGE);
    for (const row of rows) {
      const record = decode(TransferRecord, row.value);
      out.push({ namespaceId: record.sourceNamespaceId, workflowId: record.sourceWorkflowId, runId: record.sourceRunId });
    }
    if (rows.length < PAGE) return out;
    after = Number(rows.at(-1)?.id);
  }
}
