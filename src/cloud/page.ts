/** Pages of lists: a token is the key of the last entry of the page before. */
import { invalidArgument } from "../api/service-error.js";

const SIZE_DEFAULT = 100;
const SIZE_MAX = 1000;

/** `all` in the order of its keys. @throws ServiceError */
export function page<T>(
  all: readonly T[],
  keyOf: (item: T) => string,
  { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
): { readonly items: T[]; readonly nextPageToken: string } {
  if (pageSize < 0) throw invalidArgument("page_size is negative");
  if (pageSize > SIZE_MAX) throw invalidArgument(`page_size exceeds limit of ${SIZE_MAX}`);
  const after = pageToken === "" ? undefined : keyOfToken(pageToken);
  const rest = after === undefined ? all : all.filter((item) => keyOf(item) > after);
  const items = rest.slice(0, pageSize === 0 ? SIZE_DEFAULT : pageSize);
  const last = items.at(-1);
  return { items, nextPageToken: last === undefined || items.length === rest.length ? "" : tokenOf(keyOf(last)) };
}

const PREFIX = "after:";
const tokenOf = (key: string): string => Buffer.from(PREFIX + key).toString("base64url");

function keyOfToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (!text.startsWith(PREFIX)) throw invalidArgument("page_token is not valid");
  return text.slice(PREFIX.length);
}
