/** The form of every RPC that changes something: a change of the store, and its operation as the answer. */
import type { AsyncOperation } from "../../../gen/wire/temporal/api/cloud/operation/v1/message.js";
import { ResourceState } from "../../../gen/wire/temporal/api/cloud/resource/v1/message.js";
import type { Call, Handler } from "../../api/call.js";
import { failedPrecondition } from "../../api/service-error.js";
import { timestamp, timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import type { ChangingMethod } from "../../cloud/cloud-store.js";
import type { Draft } from "../../cloud/draft.js";
import { asyncOperation } from "../../cloud/operations.js";
import type { Resource } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";

type Answer = { readonly asyncOperation: Init<AsyncOperation> };

/** `answer`: for those that say more than the operation: the id of what was made. */
export function changing<I extends { readonly asyncOperationId: string }, O>(
  s: Services,
  method: ChangingMethod<I>,
  work: (request: I, draft: Draft, call: Call) => Promise<void> | void,
  answer: (id: string, operation: Answer) => Init<NoInfer<O>> = (_id, operation) => operation as Init<O>,
): Handler<I, O> {
  return async (request, call) => {
    const { operation } = await s.cloud.change(call, method, request, (draft) => work(request, draft, call));
    return answer(operation.record.resourceId, { asyncOperation: asyncOperation(operation) });
  };
}

/** Of RPCs that take the vendor of a cloud. @param reason what there is here instead, or why there is nothing. */
export const refuse =
  <I, O>(reason: string): Handler<I, O> =>
  () => {
    throw failedPrecondition(reason);
  };

/** What all resources have in common. */
export function shown<S>({ id, version, record }: Resource<S>) {
  return {
    id,
    resourceVersion: String(version),
    state: ResourceState.ACTIVE,
    createdTime: timestampOf(record.createTime),
    lastModifiedTime: timestamp(record.updateTime),
  };
}
