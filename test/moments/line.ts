/** One line of what was seen: a moment (seconds since the script began), a duration, or any other value. In a file it is one string. */
export interface Line {
  readonly what: string;
  readonly kind: "at" | "for" | "is";
  readonly value: number | string | boolean;
}

const MARKS = { at: "@", for: "~", is: "=" } as const;
const TEXT = /^(?<what>.*?) (?<mark>[@~=]) (?<value>.*)$/s;

export function written({ what, kind, value }: Line): string {
  return `${what} ${MARKS[kind]} ${kind === "is" ? JSON.stringify(value) : Number(value).toFixed(3)}`;
}

export function readLine(text: string): Line {
  const { what = "", mark, value = "" } = TEXT.exec(text)?.groups ?? {};
  const kind = mark === MARKS.at ? "at" : mark === MARKS.for ? "for" : "is";
  return { what, kind, value: JSON.parse(value) as Line["value"] };
}
