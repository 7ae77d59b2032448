/**
 * What RegisterNamespace and UpdateNamespace make of an archival state and URI: the official server's state machine
 * (common/namespace/archival_config_state_machine.go). A URI is given once: whoever reads an archive must find it.
 */
import { ArchivalState } from "../../gen/wire/temporal/api/enums/v1/namespace.js";
import { invalidArgument } from "../api/service-error.js";

export interface ArchivalConfig {
  readonly state: ArchivalState;
  readonly uri: string;
}

/** @throws ServiceError. `wanted.state` UNSPECIFIED leaves the state as it is. */
export async function nextArchivalConfig(
  current: ArchivalConfig,
  wanted: ArchivalConfig,
  defaultUri: string,
  validate: (uri: string) => Promise<void>,
): Promise<ArchivalConfig> {
  if (current.state === ArchivalState.ENABLED && current.uri === "")
    throw invalidArgument("Encountered illegal state: archival is enabled but URI is not set (should be impossible)");
  if (current.uri !== "" && wanted.uri !== "" && current.uri !== wanted.uri) throw invalidArgument("Cannot update existing archival URI");
  const isEnabled = wanted.state === ArchivalState.ENABLED || (wanted.state === ArchivalState.UNSPECIFIED && current.state === ArchivalState.ENABLED);
  const known = current.uri || wanted.uri;
  // The official server has to have a default; here only who names no URI needs one.
  if (isEnabled && known === "" && defaultUri === "")
    throw invalidArgument("Encountered illegal event: default URI is not set (should be impossible)");
  const next = { state: isEnabled ? ArchivalState.ENABLED : ArchivalState.DISABLED, uri: isEnabled ? known || defaultUri : known };
  if (next.uri !== "") await validate(next.uri);
  return next;
}
