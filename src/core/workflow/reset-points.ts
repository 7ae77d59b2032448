/**
 * Auto reset points: for each worker build that completed a workflow task, the first task that it completed. A reset by build id
 * starts there. Carried from run to run of a chain until the run that they name has outlived its retention.
 */
import type { HistoryEvent } from "../../../gen/wire/temporal/api/history/v1/message.js";
import type { ResetPoints } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { ResetPointInfo } from "../../../gen/wire/temporal/api/workflow/v1/message.js";
import { timestampMicros, timestampOf } from "../../api/time.js";
import type { Run } from "./context.js";

/** Notes the build of a completed workflow task, unless it is known. The oldest go when there are too many. */
export function addResetPoint(run: Run, completed: HistoryEvent): boolean {
  const a = completed.attributes;
  if (a.case !== "workflowTaskCompletedEventAttributes") return false;
  const { binaryChecksum } = a.value;
  const buildId = a.value.deploymentVersion?.buildId ?? a.value.workerVersion?.buildId ?? "";
  const points = run.info.autoResetPoints?.points ?? [];
  if (points.some((p) => p.binaryChecksum === binaryChecksum && p.buildId === buildId)) return false;
  const { children, externalSignals, externalCancels } = run.draft;
  const point = ResetPointInfo.create({
    binaryChecksum,
    buildId,
    runId: run.info.runId,
    firstWorkflowTaskCompletedId: completed.eventId,
    createTime: completed.eventTime,
    // A reset does not take back what was asked of others.
    resettable: children.size === 0 && externalSignals.size === 0 && externalCancels.size === 0,
  });
  const max = run.ctx.env.config.limits.autoResetPointsMax;
  run.info.autoResetPoints = { points: [...points, point].slice(-max) };
  run.draft.dirty = true;
  return true;
}

/** What a new run keeps of the points of the run before it, which has just closed. */
export function rollOverResetPoints(points: ResetPoints | undefined, previousRunId: string, now: number, retention: number): ResetPoints {
  if (points === undefined) return { points: [] };
  return {
    points: points.points
      .filter((p) => p.expireTime === undefined || timestampMicros(p.expireTime) >= now)
      .map((p) => (p.runId === previousRunId ? { ...p, expireTime: timestampOf(now + retention) } : p)),
  };
}
