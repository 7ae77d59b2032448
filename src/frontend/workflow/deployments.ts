/** The pre-release deployment RPCs: the official server refuses them since worker deployments took their place. */
import type { Handler } from "../../api/call.js";
import { unimplemented } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";

export function refusedDeployment<I, O>(): Handler<I, O> {
  return (): Init<O> => {
    throw unimplemented("Deployments are deprecated and no longer supported, use Worker Deployments instead");
  };
}
