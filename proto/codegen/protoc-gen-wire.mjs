#!/usr/bin/env node
// Code generator for the hot path: every message becomes a plain TypeScript record with a straight-line encoder and
// decoder. It differs from protobuf-es, which serves the other protocols, in three ways that the engine relies on:
//   - 64-bit integers are numbers (docs/ARCHITECTURE.md section 4.1), never bigint;
//   - the messages in OPAQUE stay encoded: a field of such a type is a Uint8Array, so a payload is never decoded to be copied;
//   - nothing is built when the module loads, so start-up does not pay for descriptors.
import { createEcmaScriptPlugin, runNodeJs } from "@bufbuild/protoplugin";

const OPAQUE = new Set([
  "temporal.api.common.v1.Payload",
  "temporal.api.common.v1.Payloads",
  "temporal.api.common.v1.Header",
  "temporal.api.history.v1.History",
]);

const SCALAR = {
  1: { method: "double", ts: "number", zero: "0", wire: 1 },
  2: { method: "float", ts: "number", zero: "0", wire: 5 },
  3: { method: "int64", ts: "number", zero: "0", wire: 0 },
  4: { method: "uint64", ts: "number", zero: "0", wire: 0 },
  5: { method: "int32", ts: "number", zero: "0", wire: 0 },
  6: { method: "fixed64", ts: "number", zero: "0", wire: 1 },
  7: { method: "fixed32", ts: "number", zero: "0", wire: 5 },
  8: { method: "bool", ts: "boolean", zero: "false", wire: 0 },
  9: { method: "string", ts: "string", zero: '""', wire: 2 },
  12: { method: "bytes", ts: "Uint8Array", zero: "EMPTY_BYTES", wire: 2 },
  13: { method: "uint32", ts: "number", zero: "0", wire: 0 },
  15: { method: "sfixed32", ts: "number", zero: "0", wire: 5 },
  16: { method: "sfixed64", ts: "number", zero: "0", wire: 1 },
  17: { method: "sint32", ts: "number", zero: "0", wire: 0 },
  18: { method: "sint64", ts: "number", zero: "0", wire: 0 },
};
const ENUM = { method: "int32", ts: "number", zero: "0", wire: 0 };

const localName = (desc) => (desc.parent ? `${localName(desc.parent)}_${desc.name}` : desc.name);
const modulePath = (file) => file.proto.name.replace(/\.proto$/, "");

function relative(from, to) {
  const a = from.split("/").slice(0, -1);
  const b = to.split("/");
  let i = 0;
  while (i < a.length && i < b.length - 1 && a[i] === b[i]) i++;
  const up = a.length - i;
  return `${up === 0 ? "./" : "../".repeat(up)}${b.slice(i).join("/")}.js`;
}

/** One file's output: collects lines and the imports that they need. */
class Sheet {
  constructor(file) {
    this.file = file;
    this.lines = [];
    this.imports = new Map();
  }
  p(...l) {
    this.lines.push(...l);
  }
  ref(desc) {
    const name = localName(desc);
    if (desc.file.proto.name === this.file.proto.name) return name;
    const path = relative(modulePath(this.file), modulePath(desc.file));
    if (!this.imports.has(path)) this.imports.set(path, new Map());
    const taken = this.imports.get(path);
    if (!taken.has(name)) taken.set(name, `${name}$${this.imports.size}`);
    return taken.get(name);
  }
}

const opaque = (message) => OPAQUE.has(message.typeName);

/** Type of one element (list item, map value or singular value). */
function element(sheet, field) {
  if (field.message) return opaque(field.message) ? "Uint8Array" : sheet.ref(field.message);
  if (field.enum) return sheet.ref(field.enum);
  return SCALAR[field.scalar].ts;
}

function fieldType(sheet, field) {
  if (field.fieldKind === "list") return `${element(sheet, field)}[]`;
  if (field.fieldKind === "map") return `Record<string, ${element(sheet, field)}>`;
  return element(sheet, field);
}

const scalarOf = (field) => (field.enum ? ENUM : SCALAR[field.scalar]);
const hasPresence = (field) => field.fieldKind === "message" || field.presence === 1; // EXPLICIT

function tag(field, wire) {
  return (field.number << 3) | wire;
}

/** Statements that write one element held in `v`. */
function writeElement(sheet, field, v) {
  if (field.message) {
    const t = tag(field, 2);
    if (opaque(field.message)) return `w.tag(${t}); w.bytes(${v});`;
    return `w.tag(${t}); { const s = w.fork(); ${sheet.ref(field.message)}.write(w, ${v}); w.join(s); }`;
  }
  const s = scalarOf(field);
  return `w.tag(${tag(field, s.wire)}); w.${s.method}(${v});`;
}

function readElement(sheet, field) {
  if (field.message) {
    if (opaque(field.message)) return "r.bytes()";
    return `r.message(${sheet.ref(field.message)})`;
  }
  return `r.${scalarOf(field).method}()`;
}

function writeField(sheet, field, m) {
  const name = field.localName;
  if (field.fieldKind === "list") {
    if (!field.message && scalarOf(field).wire !== 2) {
      const s = scalarOf(field);
      sheet.p(
        `    if (${m}.${name} !== undefined && ${m}.${name}.length > 0) { w.tag(${tag(field, 2)}); const s = w.fork(); for (const v of ${m}.${name}) w.${s.method}(v); w.join(s); }`,
      );
    } else {
      sheet.p(`    if (${m}.${name} !== undefined) for (const v of ${m}.${name}) { ${writeElement(sheet, field, "v")} }`);
    }
    return;
  }
  if (field.fieldKind === "map") {
    const key = SCALAR[field.mapKey];
    const keyExpr = key.ts === "number" ? "Number(k)" : key.ts === "boolean" ? 'k === "true"' : "k";
    const value = { ...field, number: 2, message: field.message, enum: field.enum, scalar: field.scalar };
    sheet.p(
      `    if (${m}.${name} !== undefined) for (const k of Object.keys(${m}.${name})) { const v = ${m}.${name}[k]; if (v === undefined) continue; w.tag(${tag(field, 2)}); const e = w.fork(); w.tag(${(1 << 3) | key.wire}); w.${key.method}(${keyExpr}); ${writeElement(sheet, value, "v")} w.join(e); }`,
    );
    return;
  }
  if (hasPresence(field)) {
    sheet.p(`    if (${m}.${name} !== undefined) { ${writeElement(sheet, field, `${m}.${name}`)} }`);
    return;
  }
  const s = scalarOf(field);
  const test = s.ts === "Uint8Array" ? `${m}.${name} !== undefined && ${m}.${name}.length > 0` : `${m}.${name}`;
  sheet.p(`    if (${test}) { ${writeElement(sheet, field, `${m}.${name}`)} }`);
}

function message(sheet, desc) {
  const name = localName(desc);
  const plain = desc.members.filter((x) => x.kind === "field");
  const oneofs = desc.members.filter((x) => x.kind === "oneof");
  sheet.p(`/** ${desc.typeName} */`, `export interface ${name} {`);
  for (const f of plain) {
    const type = fieldType(sheet, f);
    const optional = f.fieldKind !== "list" && f.fieldKind !== "map" && hasPresence(f);
    sheet.p(`  ${f.localName}: ${type}${optional ? " | undefined" : ""};`);
  }
  for (const o of oneofs) {
    const cases = o.fields.map((f) => `{ case: "${f.localName}"; value: ${fieldType(sheet, f)} }`);
    sheet.p(`  ${o.localName}: ${cases.join(" | ")} | { case: undefined; value?: undefined };`);
  }
  sheet.p("}");
  const isRecord = desc.file.proto.package.startsWith("perdure.");
  sheet.p(`export const ${name}: ${isRecord ? "StoredMessageType" : "MessageType"}<${name}> = {`, `  typeName: "${desc.typeName}",`);
  // create
  const used = desc.members.length > 0;
  sheet.p(`  create(${used ? "i" : "_i"}) {`, "    return {");
  for (const f of plain) {
    const n = f.localName;
    const nested = f.message && !opaque(f.message) ? sheet.ref(f.message) : undefined;
    if (f.fieldKind === "list")
      sheet.p(`      ${n}: i?.${n} === undefined ? [] : ${nested ? `i.${n}.map((v) => ${nested}.create(v))` : `i.${n}.slice()`},`);
    else if (f.fieldKind === "map")
      sheet.p(`      ${n}: i?.${n} === undefined ? {} : ${nested ? `mapValues(i.${n}, (v) => ${nested}.create(v))` : `copyMap(i.${n})`},`);
    else if (hasPresence(f)) sheet.p(`      ${n}: ${nested ? `i?.${n} === undefined ? undefined : ${nested}.create(i.${n})` : `i?.${n}`},`);
    else sheet.p(`      ${n}: i?.${n} ?? ${scalarOf(f).zero},`);
  }
  for (const o of oneofs) {
    const nested = o.fields.filter((f) => f.message && !opaque(f.message));
    if (nested.length === 0) sheet.p(`      ${o.localName}: (i?.${o.localName} ?? { case: undefined }) as ${name}["${o.localName}"],`);
    else {
      sheet.p(`      ${o.localName}: ((o) => { switch (o?.case) {`);
      for (const f of nested)
        sheet.p(`        case "${f.localName}": return { case: "${f.localName}" as const, value: ${sheet.ref(f.message)}.create(o.value) };`);
      sheet.p(`        default: return (o ?? { case: undefined }) as ${name}["${o.localName}"]; } })(i?.${o.localName}),`);
    }
  }
  sheet.p("    };", "  },");
  // copy: a literal, because V8 makes spreads of records with many fields slow once their fields have changed types
  if (isRecord) {
    sheet.p("  copy(m, changes) {", "    const c = {");
    for (const member of [...plain, ...oneofs]) sheet.p(`      ${member.localName}: m.${member.localName},`);
    sheet.p("    };", "    return changes === undefined ? c : Object.assign(c, changes);", "  },");
  }
  // write
  sheet.p(`  write(${used ? "w, m" : "_w, _m"}) {`);
  for (const f of plain) writeField(sheet, f, "m");
  for (const o of oneofs) {
    sheet.p(`    switch (m.${o.localName}?.case) {`);
    for (const f of o.fields)
      sheet.p(`      case "${f.localName}": { const v = m.${o.localName}.value; if (v !== undefined) { ${writeElement(sheet, f, "v")} } break; }`);
    sheet.p("    }");
  }
  sheet.p("  },");
  // read
  sheet.p(`  read(r, end) {`, `    const m = ${name}.create();`, "    while (r.pos < end) {", "      const t = r.tag();", "      switch (t) {");
  for (const f of plain) {
    const n = f.localName;
    if (f.fieldKind === "list") {
      if (!f.message && scalarOf(f).wire !== 2) {
        const s = scalarOf(f);
        sheet.p(`        case ${tag(f, 2)}: { const stop = r.length(); while (r.pos < stop) m.${n}.push(r.${s.method}()); break; }`);
        sheet.p(`        case ${tag(f, s.wire)}: m.${n}.push(r.${s.method}()); break;`);
      } else sheet.p(`        case ${tag(f, 2)}: m.${n}.push(${readElement(sheet, f)}); break;`);
    } else if (f.fieldKind === "map") {
      const key = SCALAR[f.mapKey];
      const value = { ...f, number: 2, message: f.message, enum: f.enum, scalar: f.scalar };
      const wire = f.message ? 2 : scalarOf(f).wire;
      const zero = f.message ? (opaque(f.message) ? "EMPTY_BYTES" : `${sheet.ref(f.message)}.create()`) : scalarOf(f).zero;
      sheet.p(
        `        case ${tag(f, 2)}: { const stop = r.length(); let k = ${key.zero}; let v: ${element(sheet, f)} | undefined; while (r.pos < stop) { const e = r.tag(); if (e === ${(1 << 3) | key.wire}) k = r.${key.method}(); else if (e === ${(2 << 3) | wire}) v = ${readElement(sheet, value)}; else r.skip(e); } setEntry(m.${n}, String(k), v ?? ${zero}); break; }`,
      );
    } else if (f.message) {
      if (opaque(f.message)) sheet.p(`        case ${tag(f, 2)}: m.${n} = ${readElement(sheet, f)}; break;`);
      else sheet.p(`        case ${tag(f, 2)}: m.${n} = ${readElement(sheet, f)}; break;`);
    } else sheet.p(`        case ${tag(f, scalarOf(f).wire)}: m.${n} = r.${scalarOf(f).method}(); break;`);
  }
  for (const o of oneofs)
    for (const f of o.fields) {
      const wire = f.message ? 2 : scalarOf(f).wire;
      sheet.p(`        case ${tag(f, wire)}: m.${o.localName} = { case: "${f.localName}", value: ${readElement(sheet, f)} }; break;`);
    }
  sheet.p("        default: r.skip(t);", "      }", "    }", "    return m;", "  },", "};", "");
  for (const e of desc.nestedEnums) enumeration(sheet, e);
  for (const m of desc.nestedMessages) if (!m.proto.options?.mapEntry) message(sheet, m);
}

function enumeration(sheet, desc) {
  sheet.p(`/** ${desc.typeName} */`, `export enum ${localName(desc)} {`);
  for (const v of desc.values) sheet.p(`  ${v.localName} = ${v.number},`);
  sheet.p("}", "");
}

runNodeJs(
  createEcmaScriptPlugin({
    name: "protoc-gen-wire",
    version: "v1",
    generateTs(schema) {
      for (const file of schema.files) {
        const sheet = new Sheet(file);
        for (const e of file.enums) enumeration(sheet, e);
        for (const m of file.messages) message(sheet, m);
        for (const s of file.services) {
          sheet.p(`/** ${s.typeName} */`, `export const ${s.name} = {`, `  typeName: "${s.typeName}",`, "  methods: {");
          for (const m of s.methods)
            sheet.p(
              `    ${m.name}: { name: "${m.name}", path: "/${s.typeName}/${m.name}", input: ${sheet.ref(m.input)}, output: ${sheet.ref(m.output)} },`,
            );
          sheet.p("  },", "} as const;", "");
        }
        const out = schema.generateFile(`${modulePath(file)}.ts`);
        const depth = modulePath(file).split("/").length + 1;
        out.print("/* eslint-disable */");
        out.print(
          `import { EMPTY_BYTES, type MessageType, type StoredMessageType, copyMap, mapValues, setEntry } from "${"../".repeat(depth)}src/api/wire.js";`,
        );
        for (const [path, names] of sheet.imports) {
          out.print(`import { ${[...names].map(([n, alias]) => `${n} as ${alias}`).join(", ")} } from "${path}";`);
        }
        for (const l of sheet.lines) out.print(l);
      }
    },
  }),
);
