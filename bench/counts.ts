/** What a server counts of its own work, from its /metrics. */

/** Starts, commits and rows so far. */
export async function counts(port: number): Promise<{ starts: number; commits: number; rows: number }> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const sum = (line: RegExp): number => [...text.matchAll(line)].reduce((total, m) => total + Number(m[1]), 0);
  return {
    starts: sum(/^service_requests\{.*operation="StartWorkflowExecution".*\} (\d+)$/gm),
    commits: sum(/^perdure_commits_total (\d+)$/gm),
    rows: sum(/^perdure_rows_total (\d+)$/gm),
  };
}
