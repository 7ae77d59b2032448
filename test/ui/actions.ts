/** What a person does in the official Web UI, in this order; an action is done when the page shows what it led to. */
import type { UiSession } from "./ui-session.js";

export interface Action {
  readonly name: string;
  readonly perform: (ui: UiSession) => Promise<void>;
}

const HOME = "/namespaces/default";
const testId = (id: string): string => `[data-testid="${id}"]`;
const confirm = (dialog: string): string => `dialog[open]${testId(dialog)} ${testId("confirm-modal-button")}`;

/** Opens the menu of a workflow and picks an action. */
async function pick(ui: UiSession, workflowId: string, action: string): Promise<void> {
  await ui.open(`${HOME}/workflows/${workflowId}`);
  await ui.click("button", "More Actions");
  await ui.click(testId(action));
}

export const ACTIONS: readonly Action[] = [
  {
    name: "lists workflows",
    perform: async (ui) => {
      await ui.open(`${HOME}/workflows`);
      for (const id of ["ui-greet", "ui-signal", "ui-cancel"]) await ui.shows(id);
    },
  },
  {
    name: "lists by a query",
    perform: async (ui) => {
      await ui.open(`${HOME}/workflows?query=${encodeURIComponent('`WorkflowType`="greet"')}`);
      await ui.shows("ui-greet");
      await ui.hides("ui-signal");
    },
  },
  {
    name: "lists in an order",
    perform: async (ui) => {
      const ids = `[...document.querySelectorAll("tbody tr")].map((row) => /ui-(cancel|greet|signal|talk)/.exec(row.innerText)?.[0]).filter(Boolean).join()`;
      for (const [order, wanted] of [
        ["ORDER BY WorkflowId", "ui-cancel,ui-greet,ui-signal,ui-talk"],
        ["ORDER BY WorkflowId DESC", "ui-talk,ui-signal,ui-greet,ui-cancel"],
      ]) {
        await ui.open(`${HOME}/workflows?query=${encodeURIComponent(order as string)}`);
        await ui.until(`${ids} === "${wanted}"`);
        await ui.until(`document.querySelector('${testId("workflow-status-Completed")}')?.innerText.includes("1")`);
      }
    },
  },
  {
    name: "opens a workflow from the list",
    perform: async (ui) => {
      await ui.open(`${HOME}/workflows`);
      await ui.click("a", "ui-greet");
      await ui.until(`document.querySelector('${testId("workflow-id-heading")}')?.innerText.includes("ui-greet")`);
      await ui.shows("COMPLETED");
    },
  },
  {
    name: "shows the workers of a workflow",
    perform: async (ui) => {
      await ui.open(`${HOME}/workflows/ui-signal`);
      await ui.click("a", "Workers");
      await ui.until(`location.pathname.includes("/workers")`);
      await ui.shows("ui");
    },
  },
  {
    name: "shows a call stack",
    perform: async (ui) => {
      await ui.open(`${HOME}/workflows/ui-signal`);
      await ui.click("a", "Call Stack");
      await ui.shows("collect");
    },
  },
  {
    name: "signals a workflow",
    perform: async (ui) => {
      await pick(ui, "ui-talk", "signal-button");
      await ui.click(`dialog[open] ${testId("signal-select-button")}`);
      await ui.click('dialog[open] [role="option"]', "say");
      await ui.fill('dialog[open] [role="textbox"]', '"hello"');
      await ui.click(confirm("signal-confirmation-modal"));
      await ui.shows("Workflow signaled.");
      await ui.until("document.querySelector('dialog[open]') === null");
    },
  },
  {
    name: "updates a workflow",
    perform: async (ui) => {
      await pick(ui, "ui-talk", "update-button");
      await ui.click(`dialog[open] ${testId("update-select-button")}`);
      await ui.click('dialog[open] [role="option"]', "ask");
      await ui.fill('dialog[open] [role="textbox"]', '"why"');
      await ui.click(confirm("update-confirmation-modal"));
      await ui.until("document.querySelector('dialog[open]') === null");
      await ui.shows("said hello, asked why");
    },
  },
  {
    name: "shows a history, each event",
    perform: async (ui) => {
      await ui.evaluate(`document.querySelector('a[href*="/history?"]').click()`);
      await ui.until(`location.pathname.endsWith("/history")`);
      await ui.click(testId("feed"));
      await ui.shows("Workflow Execution Update Completed");
      await ui.shows("Workflow Execution Signaled");
    },
  },
  {
    name: "shows a history in groups",
    perform: async (ui) => {
      await ui.click(testId("compact"));
      await ui.hides("Workflow Execution Update Completed");
      for (const text of ["Workflow Update", "why, and hello", "Signal received"]) await ui.shows(text);
    },
  },
  {
    name: "shows a history as JSON",
    perform: async (ui) => {
      await ui.click(testId("json"));
      await ui.shows('"eventType": "WorkflowExecutionStarted"');
    },
  },
  {
    name: "asks for the cancellation of a workflow",
    perform: async (ui) => {
      await pick(ui, "ui-cancel", "request-cancellation-button");
      await ui.click(confirm("cancel-confirmation-modal"));
      await ui.open(`${HOME}/workflows/ui-cancel`);
      await ui.shows("CANCELED");
    },
  },
  {
    name: "pauses a workflow",
    perform: async (ui) => {
      await ui.open(`${HOME}/workflows/ui-pause`);
      await ui.click("button", "Pause Workflow");
      await ui.fill("dialog[open] #workflow-pause-details", "to look at it");
      await ui.click(confirm("workflow-pause-confirmation-modal"));
      await ui.open(`${HOME}/workflows/ui-pause`);
      await ui.shows("PAUSED");
    },
  },
  {
    name: "lets a workflow go on",
    perform: async (ui) => {
      await ui.click("button", "Unpause Workflow");
      await ui.click(confirm("workflow-unpause-confirmation-modal"));
      await ui.open(`${HOME}/workflows/ui-pause`);
      await ui.shows("RUNNING");
    },
  },
  {
    name: "terminates a workflow",
    perform: async (ui) => {
      await pick(ui, "ui-pause", "terminate-button");
      await ui.fill("dialog[open] #workflow-termination-reason", "enough");
      await ui.click(confirm("terminate-confirmation-modal"));
      await ui.open(`${HOME}/workflows/ui-pause`);
      await ui.shows("TERMINATED");
    },
  },
  {
    name: "starts a workflow",
    perform: async (ui) => {
      await ui.open(`${HOME}/workflows/start-workflow`);
      await ui.fill("#workflowId", "ui-started");
      await ui.fill("#taskQueue", "ui");
      await ui.fill("#workflowType", "greet");
      await ui.click(testId("start-workflow-button"), "Start Workflow");
      await ui.open(`${HOME}/workflows/ui-started`);
      await ui.shows("COMPLETED");
    },
  },
  {
    name: "lists schedules",
    perform: async (ui) => {
      await ui.open(`${HOME}/schedules`);
      await ui.shows("ui-schedule");
    },
  },
  {
    name: "shows a schedule",
    perform: async (ui) => {
      await ui.open(`${HOME}/schedules/ui-schedule`);
      await ui.shows("Upcoming Runs");
    },
  },
  {
    name: "pauses a schedule",
    perform: async (ui) => {
      await ui.click("button", "Pause");
      await ui.fill("dialog[open] #pause-reason", "to look at it");
      await ui.click(`dialog[open] ${testId("confirm-modal-button")}`);
      await ui.open(`${HOME}/schedules/ui-schedule`);
      await ui.shows("to look at it");
    },
  },
  {
    name: "lets a schedule go on",
    perform: async (ui) => {
      await ui.click("button", "Unpause");
      await ui.fill("dialog[open] #pause-reason", "go on");
      await ui.click(`dialog[open] ${testId("confirm-modal-button")}`);
      await ui.open(`${HOME}/schedules/ui-schedule`);
      await ui.shows("go on");
    },
  },
  {
    name: "triggers a schedule",
    perform: async (ui) => {
      await ui.click("#schedule-actions-menu-button");
      await ui.click(testId("trigger-schedule"));
      await ui.click(`dialog[open] ${testId("confirm-modal-button")}`);
      await ui.open(`${HOME}/schedules/ui-schedule`);
      await ui.shows("1 Recent Run");
    },
  },
  {
    name: "deletes a schedule",
    perform: async (ui) => {
      await ui.click("#schedule-actions-menu-button");
      await ui.click(testId("delete-schedule"));
      await ui.click(`dialog[open] ${testId("confirm-modal-button")}`);
      await ui.until(`location.pathname.endsWith("/schedules")`);
    },
  },
  {
    name: "lists namespaces",
    perform: async (ui) => {
      await ui.open("/namespaces");
      await ui.shows("default");
    },
  },
  {
    name: "shows a namespace",
    perform: async (ui) => {
      await ui.open(HOME);
      await ui.shows("Retention Period");
    },
  },
  {
    name: "shows a task queue",
    perform: async (ui) => {
      await ui.open(`${HOME}/task-queues/ui`);
      await ui.until(`document.querySelector('${testId("task-queue-title")}') !== null || document.body.innerText.includes("ui")`);
    },
  },
  {
    name: "lists workers",
    perform: async (ui) => {
      await ui.open(`${HOME}/workers`);
      await ui.shows("Typescript");
    },
  },
  {
    name: "lists worker deployments",
    perform: async (ui) => {
      await ui.open(`${HOME}/workers/deployments`);
      await ui.shows("Deployments");
    },
  },
  {
    name: "lists batch operations",
    perform: async (ui) => {
      await ui.open(`${HOME}/batch-operations`);
      await ui.shows("Batch Operations");
    },
  },
  {
    name: "lists standalone activities",
    perform: async (ui) => {
      await ui.open(`${HOME}/activities`);
      await ui.shows("Activities");
    },
  },
  {
    name: "lists Nexus endpoints",
    perform: async (ui) => {
      await ui.open("/nexus");
      await ui.shows("Nexus");
    },
  },
  {
    name: "looks for archived workflows",
    perform: async (ui) => {
      await ui.open(`${HOME}/archival`);
      await ui.shows("rchiv");
    },
  },
];
