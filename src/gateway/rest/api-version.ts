/** The version of the REST API that a request asks for by header, and what the answer says of it. */
import { Code, ServiceError } from "../../api/service-error.js";
import type { HttpAnswer, HttpRequest } from "../route.js";

export const VERSION_HEADER = "temporal-api-version";

export const CURRENT_VERSION = "v1";
/** Served as the current one is. */
const DEPRECATED = { version: "v1beta1", endEpochSeconds: 1_735_603_200, end: "Tue, 31 Dec 2024 00:00:00 GMT" } as const;
const SUPPORTED: readonly string[] = [CURRENT_VERSION, DEPRECATED.version];

export const asksForVersion = (request: HttpRequest): boolean => request.headers[VERSION_HEADER] !== undefined;

/** @throws ServiceError INVALID_ARGUMENT for one that is not served. */
export function checkVersion(request: HttpRequest): void {
  const version = versionOf(request);
  if (!SUPPORTED.includes(version))
    throw new ServiceError(
      Code.INVALID_ARGUMENT,
      `Temporal-API-Version ${JSON.stringify(version)} is not supported; supported versions: ${SUPPORTED.join(", ")}`,
    );
}

function versionOf(request: HttpRequest): string {
  const value = request.headers[VERSION_HEADER];
  return (Array.isArray(value) ? value[0] : value) ?? CURRENT_VERSION;
}

/** The answer with its version, and with a warning when that is a deprecated one. */
export function withVersion(request: HttpRequest, answer: HttpAnswer): HttpAnswer {
  const asked = versionOf(request);
  const version = SUPPORTED.includes(asked) ? asked : CURRENT_VERSION;
  const headers: Record<string, string | readonly string[]> = { ...answer.headers, "temporal-api-version": version };
  if (version === DEPRECATED.version) {
    headers["deprecation"] = `@${DEPRECATED.endEpochSeconds}`;
    headers["sunset"] = DEPRECATED.end;
    headers["warning"] = `299 - "Temporal-API-Version ${version} is deprecated since 2024-12-31; use ${CURRENT_VERSION}"`;
  }
  return { ...answer, headers };
}
