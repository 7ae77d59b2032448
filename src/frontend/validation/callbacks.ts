/** Checks on completion callbacks (chasm/lib/callback/validator.go). Header names are made lower case. */
import type { Callback } from "../../../gen/wire/temporal/api/common/v1/message.js";
import { invalidArgument, unimplemented } from "../../api/service-error.js";
import { setEntry } from "../../api/wire.js";
import type { RequestLimits } from "../request-limits.js";

/** This server's own callbacks: always allowed. */
const SYSTEM_URL = "temporal://system";

/** `callback.allowedAddresses`: a pattern of host and port, `*` for anything, and whether http will do. */
export interface AddressRule {
  readonly pattern: RegExp;
  readonly allowsInsecure: boolean;
}

/** Entries without a pattern are passed over, as the official server does. `undefined`: any address is allowed. */
export function addressRules(text: string): readonly AddressRule[] | undefined {
  if (text === "") return undefined;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    list = [];
  }
  return (Array.isArray(list) ? list : []).flatMap((entry: Record<string, unknown>) => {
    const pattern = entry["Pattern"] ?? entry["pattern"];
    if (typeof pattern !== "string" || pattern === "") return [];
    const source = pattern
      .split("*")
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*");
    return [{ pattern: new RegExp(`^${source}$`), allowsInsecure: (entry["AllowInsecure"] ?? entry["allowInsecure"]) === true }];
  });
}

export function validateCallbacks(callbacks: readonly Callback[], limits: RequestLimits): void {
  if (callbacks.length === 0) return;
  const max = limits.callbacksPerExecutionMax;
  if (callbacks.length > max) throw invalidArgument(`cannot attach more than ${max} callbacks to an execution`);
  for (const { variant } of callbacks) {
    if (variant.case === "internal") throw invalidArgument("unsupported callback variant: *common.Callback_Internal_");
    if (variant.case !== "nexus") throw unimplemented("unknown callback variant: <nil>");
    const { url } = variant.value;
    if (Buffer.byteLength(url) > limits.callbackUrlLengthMax)
      throw invalidArgument(`invalid url: url length longer than max length allowed of ${limits.callbackUrlLengthMax}`);
    validateAddress(url, limits.callbackAddressRules);
    let size = 0;
    const header: Record<string, string> = {};
    for (const [k, v] of Object.entries(variant.value.header)) {
      size += Buffer.byteLength(k) + Buffer.byteLength(v);
      setEntry(header, k.toLowerCase(), v);
    }
    if (size > limits.callbackHeaderBytesMax)
      throw invalidArgument(`invalid header: header size longer than max allowed size of ${limits.callbackHeaderBytesMax}`);
    variant.value.header = header;
  }
}

function validateAddress(url: string, rules: readonly AddressRule[] | undefined): void {
  if (url === SYSTEM_URL) return;
  const m = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?/.exec(url);
  const scheme = m?.[1]?.toLowerCase() ?? "";
  if (scheme !== "http" && scheme !== "https") throw invalidArgument(`invalid url: unknown scheme: ${url.replaceAll(" ", "%20")}`);
  const host = (m?.[2] ?? "").replace(/^.*@/, "");
  if (host === "") throw invalidArgument("invalid url: missing host");
  if (!URL.canParse(url)) throw invalidArgument(`invalid callback url: parse ${JSON.stringify(url)}: invalid URL`);
  if (rules === undefined) return;
  for (const rule of rules) {
    if (!rule.pattern.test(host)) continue;
    if (rule.allowsInsecure || scheme === "https") return;
    throw invalidArgument(`invalid url: callback address does not allow insecure connections: ${url}`);
  }
  throw invalidArgument(`invalid url: url does not match any configured callback address: ${url}`);
}
