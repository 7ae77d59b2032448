/**
 * What keeps a workflow from going on: after so many workflow tasks that failed or timed out in a row, lists show it by the search
 * attribute TemporalReportedProblems, until one succeeds. Behaviour: UpdateReportedProblemsSearchAttribute of the official server.
 */
import { TaskProblemRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type { Run } from "./context.js";
import { putDerived } from "./derived-attributes.js";

export const REPORTED_PROBLEMS = "TemporalReportedProblems";
const NO_PROBLEM = TaskProblemRecord.create();

/** The task has an event that says why. */
export function noteProblem(run: Run, category: string, cause: string): void {
  run.info.taskProblem = TaskProblemRecord.copy(run.info.taskProblem ?? NO_PROBLEM, { category, cause });
}

/** An attempt is over that counts: one that a sticky worker failed does not. */
export function countProblem(run: Run): void {
  const problem = TaskProblemRecord.copy(run.info.taskProblem ?? NO_PROBLEM, { attempts: (run.info.taskProblem?.attempts ?? 0) + 1 });
  run.info.taskProblem = problem;
  const { taskProblemsReportedAt } = run.ctx.env.config.limits;
  if (taskProblemsReportedAt <= 0 || problem.attempts < taskProblemsReportedAt || problem.category === "") return;
  putDerived(run, REPORTED_PROBLEMS, "KeywordList", [`category=${problem.category}`, `cause=${problem.category}Cause${problem.cause}`]);
}

export function forgetProblems(run: Run): void {
  if (run.info.taskProblem === undefined) return;
  run.info.taskProblem = undefined;
  if (run.ctx.env.config.limits.taskProblemsReportedAt > 0) putDerived(run, REPORTED_PROBLEMS, "KeywordList", undefined);
}
