/** An enum value's name as the official server's texts have it: BAD_MARKER is BadMarker. */
export function enumName(names: Readonly<Record<number, string>>, value: number): string {
  const name = names[value];
  if (name === undefined) return String(value);
  return name
    .split("_")
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
}
