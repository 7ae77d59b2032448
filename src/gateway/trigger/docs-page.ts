/** What a browser sees of the trigger API: a start page, a page to try each endpoint on, and the description that it is made from. */
import type { ProductWorkflow } from "../../config/workflows.js";
import type { Products } from "../products.js";

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c] as string);

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1d2433}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}code,textarea,pre,input{font:14px/1.4 ui-monospace,monospace}
section{border:1px solid #d5dae3;border-radius:6px;padding:0 1rem 1rem;margin:1rem 0}textarea,input{width:100%;box-sizing:border-box}
textarea{height:7rem}button{margin:.5rem 0;padding:.3rem 1rem}pre{background:#f4f6fa;padding:.7rem;overflow:auto;white-space:pre-wrap}
.method{font-weight:600;margin-right:.5rem}`;

const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>` +
  `<style>${STYLE}</style></head><body>${body}</body></html>\n`;

export function startPage(version: string): string {
  return page(
    "Perdure",
    `<h1>Perdure ${escapeHtml(version)}</h1><p>A server for durable workflows: gRPC, Connect, gRPC-Web and HTTP on this port.</p>
<ul><li><a href="/docs">Trigger API</a>: workflows as HTTP endpoints</li>
<li><a href="/workflow/catalog">Workflow catalog</a></li>
<li><a href="/api/v1/namespaces/default/workflows">Workflows of <code>default</code></a>, by the HTTP API</li></ul>`,
  );
}

interface Operation {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly summary: string;
  readonly workflow?: ProductWorkflow;
}

function operations(products: Products): Operation[] {
  return [
    { method: "GET", path: "/", summary: "Health check" },
    ...products.workflows.flatMap((workflow): Operation[] => [
      { method: "POST", path: `/workflows/${workflow.name}`, summary: `Run ${workflow.workflowType} and wait for its result`, workflow },
      { method: "POST", path: `/workflows/${workflow.name}/async`, summary: `Start ${workflow.workflowType}`, workflow },
    ]),
    { method: "GET", path: "/workflows/{workflow_id}/status", summary: "Status of a workflow" },
    { method: "GET", path: "/workflows/{workflow_id}/result", summary: "Result of a workflow; waits while it runs" },
  ];
}

/** The script reads what to send from its section, so that nothing of a workflow's description becomes code. */
const SCRIPT = `for (const s of document.querySelectorAll("section")) s.querySelector("button").onclick = async () => {
  const out = s.querySelector("pre"), id = s.querySelector("input"), body = s.querySelector("textarea");
  const path = s.dataset.path.replace("{workflow_id}", () => encodeURIComponent(id?.value ?? ""));
  out.textContent = "...";
  try {
    const init = body ? { method: "POST", headers: { "content-type": "application/json" }, body: body.value } : {};
    const answer = await fetch(path, init), text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch {}
    out.textContent = answer.status + " " + answer.statusText + "\\n" + shown;
  } catch (e) { out.textContent = String(e); }
};`;

export function docsPage(products: Products): string {
  const sections = operations(products).map(({ method, path, summary, workflow }) => {
    const example =
      workflow === undefined ? "" : `<textarea aria-label="body">${escapeHtml(JSON.stringify(exampleOf(workflow.inputSchema), null, 2))}</textarea>`;
    const id = path.includes("{workflow_id}") ? '<input aria-label="workflow id" placeholder="workflow_id">' : "";
    const about = workflow?.description === undefined ? "" : `<p>${escapeHtml(workflow.description)}</p>`;
    return `<section data-path="${escapeHtml(path)}"><h2><span class="method">${method}</span><code>${escapeHtml(path)}</code></h2><p>${escapeHtml(summary)}</p>${about}${id}${example}<button>Send</button><pre></pre></section>`;
  });
  const body = `<h1>Temporal Workflow API</h1><p>Its description: <a href="/openapi.json">/openapi.json</a></p>${sections.join("\n")}<script>${SCRIPT}</script>`;
  return page("Temporal Workflow API", body);
}

type Schema = Readonly<Record<string, unknown>>;

/** A value of the schema's form: examples and defaults where it has them. */
export function exampleOf(schema: Schema | undefined, depth = 0): unknown {
  if (schema === undefined || depth > 6) return {};
  const examples = schema["examples"];
  if (Array.isArray(examples) && examples.length > 0) return examples[0];
  for (const key of ["example", "default", "const"]) if (key in schema) return schema[key];
  const options = schema["enum"];
  if (Array.isArray(options)) return options[0];
  const type = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"];
  if (type === "array") return [exampleOf(schema["items"] as Schema | undefined, depth + 1)];
  if (type === "string") return "";
  if (type === "integer" || type === "number") return typeof schema["minimum"] === "number" ? schema["minimum"] : 1;
  if (type === "boolean") return true;
  if (type === "null") return null;
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  return Object.fromEntries(Object.entries(properties).map(([name, s]) => [name, exampleOf(s, depth + 1)]));
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const answers = (name: string, ...codes: string[]) => ({
  "200": { description: "OK", content: { "application/json": { schema: ref(name) } } },
  ...Object.fromEntries(codes.map((c) => [c, { description: "Error", content: { "application/json": { schema: ref("Error") } } }])),
});
const named = (name: string, type: "path" | "query", description: string) => ({
  name,
  in: type,
  required: type === "path",
  description,
  schema: { type: "string" },
});

export function openApi(products: Products, version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, summary, workflow } of operations(products)) {
    const started = workflow !== undefined;
    const id = path.includes("{workflow_id}");
    const parameters = [
      ...(id ? [named("workflow_id", "path", "id of the workflow")] : []),
      ...(started ? [named("workflow_id", "query", "id to start it under; one is made without")] : []),
      ...(path === "/" ? [] : [named("namespace", "query", "namespace, when it is not the configured one")]),
    ];
    const requestBody = started ? { requestBody: { required: true, content: { "application/json": { schema: workflow.inputSchema ?? {} } } } } : {};
    const responses = started
      ? answers("Workflow", "400", "409", "429", ...(path.endsWith("/async") ? [] : ["500"]))
      : id
        ? answers(path.endsWith("/status") ? "Status" : "Workflow", "404", ...(path.endsWith("/result") ? ["500"] : []))
        : answers("Health");
    paths[path] = { [method.toLowerCase()]: { summary, parameters, ...requestBody, responses } };
  }
  const text = { type: "string" };
  const orNull = (schema: object) => ({ anyOf: [schema, { type: "null" }] });
  return {
    openapi: "3.1.0",
    info: { title: "Temporal Workflow API", version },
    paths,
    components: {
      schemas: {
        Health: { type: "object", properties: { service: text, status: text, temporal_connected: { type: "boolean" } } },
        Workflow: { type: "object", properties: { workflow_id: text, status: text, result: {} } },
        Status: { type: "object", properties: { workflow_id: text, status: text, start_time: text, close_time: orNull(text) } },
        Error: { type: "object", properties: { detail: text } },
      },
    },
  };
}
