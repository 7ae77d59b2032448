/** URIs of archives, read and refused as Go's net/url does it for the official server. */
import { invalidArgument } from "../../api/service-error.js";
import type { ArchiveUri } from "./archive-store.js";

/** @throws ServiceError */
export function parseArchiveUri(text: string): ArchiveUri {
  if (text === "") throw invalidArgument('parse "": empty url');
  if (text.startsWith("/")) return { scheme: "", host: "", path: text };
  const m = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(?:[^/?#]*@)?([^/?#:]*)(?::\d*)?([^?#]*)/.exec(text);
  if (m === null) throw invalidArgument(`parse ${JSON.stringify(text)}: invalid URI for request`);
  const [, scheme = "", host = "", path = ""] = m;
  try {
    return { scheme: scheme.toLowerCase(), host, path: decodeURIComponent(path) };
  } catch {
    throw invalidArgument(`parse ${JSON.stringify(text)}: invalid URL escape`);
  }
}
