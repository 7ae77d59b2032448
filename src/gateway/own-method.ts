/** What a door does beside RPCs, as a method of its own: it passes the interceptors like any call, with a permission and a place in the limits. */
import { GetClusterInfoRequest, GetClusterInfoResponse } from "../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Call, Method, Permission } from "../api/call.js";
import type { GatewayContext, HttpRequest } from "./route.js";

export interface OwnMethod<T> {
  readonly service: string;
  readonly name: string;
  readonly permission: Permission;
  readonly priority?: Method["priority"];
  readonly longPoll?: boolean;
  readonly handler: (message: unknown, call: Call) => T | Promise<T>;
}

export function ownMethod<T>({ service, name, permission, priority = 2, longPoll = false, handler }: OwnMethod<T>): Method {
  return {
    // Its messages never leave the process: the types are there because a method has some.
    input: GetClusterInfoRequest,
    output: GetClusterInfoResponse,
    service,
    name,
    path: `/${service}/${name}`,
    permission,
    priority,
    longPoll,
    handler: handler as Method["handler"],
  };
}

/** @param message of which the interceptors read the namespace. @throws ServiceError */
export async function runOwn<T>(context: GatewayContext, request: HttpRequest, method: OwnMethod<T>, message: object = {}): Promise<T> {
  return (await context.run(request, ownMethod(method), message)) as T;
}
