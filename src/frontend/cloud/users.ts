/** CloudService: users. There is nobody to invite them: a user is active at once, with the keys that are made for it. */

import type {
  CreateUserRequest,
  CreateUserResponse,
  DeleteUserRequest,
  DeleteUserResponse,
  GetUserNamespaceAssignmentsRequest,
  GetUserNamespaceAssignmentsResponse,
  GetUserRequest,
  GetUserResponse,
  GetUsersRequest,
  GetUsersResponse,
  SetUserNamespaceAccessRequest,
  SetUserNamespaceAccessResponse,
  UpdateUserRequest,
  UpdateUserResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import type { User, UserSpec } from "../../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import type { Handler } from "../../api/call.js";
import { alreadyExists, invalidArgument } from "../../api/service-error.js";
import type { Init } from "../../api/wire.js";
import { checkAccess, inheritsNamespaces, liveAccess } from "../../cloud/access.js";
import { page } from "../../cloud/page.js";
import type { Resource } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { assignments, hasNamespace, nextAccess } from "./assignments.js";
import { checkMayGive, checkMayTouch } from "./authority.js";
import { changing, shown } from "./changing.js";

const M = CloudService.methods;
const ADDRESS = /^[^@\s]+@[^@\s]+$/;
const ADDRESS_LENGTH_MAX = 320;

export function userOf(s: Services, r: Resource<UserSpec>): Init<User> {
  const { email, access } = r.spec;
  return { ...shown(r), spec: { email, access: access && liveAccess(access, r.record.namespaceIds, s.cloud) } };
}

export const getUsers =
  (s: Services): Handler<GetUsersRequest, GetUsersResponse> =>
  (request) => {
    const email = request.email.toLowerCase();
    const all = s.cloud.users
      .all()
      .filter((u) => (email === "" || u.spec.email.toLowerCase() === email) && (request.namespace === "" || hasNamespace(s, u, request.namespace)));
    const { items, nextPageToken } = page(all, (u) => u.id, request);
    return { users: items.map((u) => userOf(s, u)), nextPageToken };
  };

export const getUser =
  (s: Services): Handler<GetUserRequest, GetUserResponse> =>
  ({ userId }) => ({ user: userOf(s, s.cloud.users.get(userId)) });

export const createUser = (s: Services): Handler<CreateUserRequest, CreateUserResponse> =>
  changing(
    s,
    M.CreateUser,
    ({ spec }, draft, call) => {
      const email = checkAddress(s, spec, undefined);
      const { access, namespaceIds } = checkAccess(spec?.access, s.cloud);
      checkMayGive(s, call, access as UserSpec["access"], namespaceIds);
      const id = draft.newId();
      draft.put(s.cloud.users, id, { email, access }, { namespaceIds });
      draft.about(id);
    },
    (userId, operation) => ({ userId, ...operation }),
  );

export const updateUser = (s: Services): Handler<UpdateUserRequest, UpdateUserResponse> =>
  changing(s, M.UpdateUser, ({ userId, spec, resourceVersion }, draft, call) => {
    const old = s.cloud.users.at(userId, resourceVersion);
    const email = checkAddress(s, spec, userId);
    const { access, namespaceIds } = checkAccess(spec?.access, s.cloud);
    checkMayTouch(s, call, old.spec.access);
    checkMayGive(s, call, access as UserSpec["access"], namespaceIds);
    draft.put(s.cloud.users, userId, { email, access }, { namespaceIds });
    draft.about(userId);
  });

export const deleteUser = (s: Services): Handler<DeleteUserRequest, DeleteUserResponse> =>
  changing(s, M.DeleteUser, async ({ userId, resourceVersion }, draft, call) => {
    const old = s.cloud.users.at(userId, resourceVersion);
    checkMayTouch(s, call, old.spec.access);
    draft.delete(s.cloud.users, old);
    for (const m of s.cloud.members.all()) if (m.id.endsWith(`/${userId}`)) draft.delete(s.cloud.members, m);
    draft.about(userId);
    await s.apiKeys.deleteOwned("user", userId, (batch) => draft.into(batch));
  });

export const setUserNamespaceAccess = (s: Services): Handler<SetUserNamespaceAccessRequest, SetUserNamespaceAccessResponse> =>
  changing(s, M.SetUserNamespaceAccess, ({ namespace, userId, access: given, resourceVersion }, draft, call) => {
    const old = s.cloud.users.at(userId, resourceVersion);
    const { access, namespaceIds } = nextAccess(s, call, old, namespace, given);
    draft.put(s.cloud.users, userId, { email: old.spec.email, access }, { namespaceIds });
    draft.about(userId, namespace);
  });

export const getUserNamespaceAssignments =
  (s: Services): Handler<GetUserNamespaceAssignmentsRequest, GetUserNamespaceAssignmentsResponse> =>
  (request) => {
    const { items, nextPageToken } = assignments(s, s.cloud.users, request);
    return {
      users: items.map(({ resource: { id, spec, version }, namespaceAccess }) => ({
        ...{ id, email: spec.email, namespaceAccess, resourceVersion: String(version) },
        inheritedAccess: inheritsNamespaces(spec.access),
      })),
      nextPageToken,
    };
  };

/** @throws ServiceError @param id of the user that has it already. */
function checkAddress(s: Services, spec: UserSpec | undefined, id: string | undefined): string {
  const email = spec?.email ?? "";
  if (email === "") throw invalidArgument("spec.email is not set on request.");
  if (!ADDRESS.test(email) || email.length > ADDRESS_LENGTH_MAX) throw invalidArgument(`not an email address: ${JSON.stringify(email)}`);
  if (s.cloud.users.all().some((u) => u.id !== id && u.spec.email.toLowerCase() === email.toLowerCase()))
    throw alreadyExists(`a user with the email address ${email} exists already`);
  return email;
}
