/** The page that lists every operation of the HTTP API and sends requests to it; all that it shows comes from /swagger.json. */
export const API_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>HTTP API</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem; color: #222; background: #fff }
  input, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .3rem .5rem; border: 1px solid #bbb; border-radius: 4px }
  textarea, pre, summary code { font: 13px/1.5 ui-monospace, monospace }
  details { border-bottom: 1px solid #ddd; padding: .35rem 0 }
  summary { cursor: pointer }
  summary b { display: inline-block; width: 4.5rem }
  label { display: block; margin: .5rem 0 }
  pre { background: #f4f4f4; padding: .75rem; overflow: auto; max-height: 24rem }
  button { font: inherit; padding: .3rem 1rem }
  @media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } pre { background: #242424 } input, textarea { color: inherit; background: #202020 } }
</style>
</head>
<body>
<h1>HTTP API</h1>
<p><a href="/openapi.yaml">OpenAPI 3</a> · <a href="/swagger.json">Swagger 2</a></p>
<label>Find <input id="find" type="search" autofocus></label>
<div id="operations">Loading…</div>
<script>
const make = (tag, text, parent) => { const e = document.createElement(tag); if (text) e.textContent = text; if (parent) parent.append(e); return e; };
const list = document.getElementById("operations");
const find = document.getElementById("find");
function form(box, method, path, operation) {
  const inputs = (operation.parameters || []).filter((p) => p.in !== "body").map((p) => {
    const label = make("label", p.name + (p.required ? " *" : ""), box);
    const input = make("input", "", label);
    if (p.enum) input.placeholder = p.enum.join(" | ");
    if (p.name === "namespace") input.value = "default";
    return { p, input };
  });
  const hasBody = (operation.parameters || []).some((p) => p.in === "body");
  const body = hasBody ? make("textarea", "", make("label", "Body", box)) : undefined;
  if (body) { body.rows = 6; body.value = "{}"; }
  const button = make("button", "Send", box);
  const answer = make("pre", "", box);
  button.onclick = async () => {
    let target = path;
    const query = new URLSearchParams();
    for (const { p, input } of inputs) {
      if (p.in === "path") target = target.replace("{" + p.name + "}", encodeURIComponent(input.value));
      else if (input.value !== "") query.append(p.name, input.value);
    }
    query.append("pretty", "");
    answer.textContent = "…";
    try {
      const r = await fetch(target + "?" + query, { method: method.toUpperCase(), body: body && body.value });
      answer.textContent = r.status + " " + r.statusText + "\\n" + await r.text();
    } catch (e) { answer.textContent = String(e); }
  };
}
fetch("/swagger.json").then((r) => r.json()).then((doc) => {
  list.textContent = "";
  const rows = [];
  for (const [path, methods] of Object.entries(doc.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const row = make("details", "", list);
      const summary = make("summary", "", row);
      make("b", method.toUpperCase(), summary);
      make("code", path, summary);
      make("span", " " + operation.summary, summary);
      row.ontoggle = () => { if (row.open && !row.dataset.made) { row.dataset.made = "1"; form(row, method, path, operation); } };
      rows.push([row, (path + " " + operation.summary).toLowerCase()]);
    }
  find.oninput = () => { for (const [row, text] of rows) row.hidden = !text.includes(find.value.toLowerCase()); };
}, (e) => { list.textContent = String(e); });
</script>
</body>
</html>
`;
