/** YAML of values that JSON has: blocks of maps and lists, scalars as JSON writes them, which YAML reads. */

export function formatYaml(value: unknown): string {
  return `${lines(value).join("\n")}\n`;
}

function lines(value: unknown): string[] {
  if (Array.isArray(value) && value.length > 0)
    return value.flatMap((v) => {
      const [first = "", ...rest] = lines(v);
      return [`- ${first}`, ...rest.map((l) => `  ${l}`)];
    });
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    if (entries.length > 0) return entries.flatMap(([k, v]) => entry(k, v));
  }
  return [JSON.stringify(value)];
}

function entry(key: string, value: unknown): string[] {
  // What could be read as anything but a text is quoted.
  const name = /^[A-Za-z_][\w.]*$/.test(key) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(key) ? key : JSON.stringify(key);
  const inner = lines(value);
  const isBlock = typeof value === "object" && value !== null && Object.keys(value).length > 0;
  return isBlock ? [`${name}:`, ...inner.map((l) => `  ${l}`)] : [`${name}: ${inner[0]}`];
}
