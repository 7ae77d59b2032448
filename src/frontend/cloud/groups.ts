/** CloudService: user groups and their members. Groups of Google and SCIM have their members from elsewhere, which nothing here asks. */
import type {
  AddUserGroupMemberRequest,
  AddUserGroupMemberResponse,
  CreateUserGroupRequest,
  CreateUserGroupResponse,
  DeleteUserGroupRequest,
  DeleteUserGroupResponse,
  GetUserGroupMembersRequest,
  GetUserGroupMembersResponse,
  GetUserGroupNamespaceAssignmentsRequest,
  GetUserGroupNamespaceAssignmentsResponse,
  GetUserGroupRequest,
  GetUserGroupResponse,
  GetUserGroupsRequest,
  GetUserGroupsResponse,
  RemoveUserGroupMemberRequest,
  RemoveUserGroupMemberResponse,
  SetUserGroupNamespaceAccessRequest,
  SetUserGroupNamespaceAccessResponse,
  UpdateUserGroupRequest,
  UpdateUserGroupResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import type { UserGroup, UserGroupMemberId, UserGroupSpec } from "../../../gen/wire/temporal/api/cloud/identity/v1/message.js";
import type { Handler } from "../../api/call.js";
import { alreadyExists, failedPrecondition, invalidArgument, notFound } from "../../api/service-error.js";
import { timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { checkAccess, inheritsNamespaces, liveAccess } from "../../cloud/access.js";
import { page } from "../../cloud/page.js";
import type { Resource } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { assignments, hasNamespace, nextAccess } from "./assignments.js";
import { checkMayGive, checkMayTouch } from "./authority.js";
import { changing, shown } from "./changing.js";

const M = CloudService.methods;
const NAME_LENGTH_MAX = 255;
const CLOUD_GROUP: UserGroupSpec["groupType"] = { case: "cloudGroup", value: {} };

function groupOf(s: Services, r: Resource<UserGroupSpec>): Init<UserGroup> {
  const { access } = r.spec;
  return { ...shown(r), spec: { ...r.spec, access: access && liveAccess(access, r.record.namespaceIds, s.cloud) } };
}

/** In the order of names; no name has the separator. */
const nameKey = ({ id, spec }: Resource<UserGroupSpec>): string => `${spec.displayName}\u0000${id}`;

export const getUserGroups =
  (s: Services): Handler<GetUserGroupsRequest, GetUserGroupsResponse> =>
  (request) => {
    const { namespace, displayName, googleGroup, scimGroup } = request;
    // There are none of these.
    const isOther = googleGroup !== undefined || scimGroup !== undefined;
    const all = s.cloud.groups
      .all()
      .filter((g) => !isOther && (displayName === "" || g.spec.displayName === displayName) && (namespace === "" || hasNamespace(s, g, namespace)))
      .sort((a, b) => (nameKey(a) < nameKey(b) ? -1 : 1));
    const { items, nextPageToken } = page(all, nameKey, request);
    return { groups: items.map((g) => groupOf(s, g)), nextPageToken };
  };

export const getUserGroup =
  (s: Services): Handler<GetUserGroupRequest, GetUserGroupResponse> =>
  ({ groupId }) => ({ group: groupOf(s, s.cloud.groups.get(groupId)) });

export const createUserGroup = (s: Services): Handler<CreateUserGroupRequest, CreateUserGroupResponse> =>
  changing(
    s,
    M.CreateUserGroup,
    ({ spec }, draft, call) => {
      const displayName = checkGroup(s, spec, undefined);
      const { access, namespaceIds } = checkAccess(spec?.access, s.cloud);
      checkMayGive(s, call, access as UserGroupSpec["access"], namespaceIds);
      const id = draft.newId();
      draft.put(s.cloud.groups, id, { displayName, access, groupType: CLOUD_GROUP }, { namespaceIds });
      draft.about(id);
    },
    (groupId, operation) => ({ groupId, ...operation }),
  );

export const updateUserGroup = (s: Services): Handler<UpdateUserGroupRequest, UpdateUserGroupResponse> =>
  changing(s, M.UpdateUserGroup, ({ groupId, spec, resourceVersion }, draft, call) => {
    const old = s.cloud.groups.at(groupId, resourceVersion);
    const displayName = checkGroup(s, spec, groupId);
    const { access, namespaceIds } = checkAccess(spec?.access, s.cloud);
    checkMayTouch(s, call, old.spec.access);
    checkMayGive(s, call, access as UserGroupSpec["access"], namespaceIds);
    draft.put(s.cloud.groups, groupId, { displayName, access, groupType: CLOUD_GROUP }, { namespaceIds });
    draft.about(groupId);
  });

export const deleteUserGroup = (s: Services): Handler<DeleteUserGroupRequest, DeleteUserGroupResponse> =>
  changing(s, M.DeleteUserGroup, ({ groupId, resourceVersion }, draft, call) => {
    const old = s.cloud.groups.at(groupId, resourceVersion);
    checkMayTouch(s, call, old.spec.access);
    draft.delete(s.cloud.groups, old);
    for (const m of membersOf(s, groupId)) draft.delete(s.cloud.members, m);
    draft.about(groupId);
  });

export const setUserGroupNamespaceAccess = (s: Services): Handler<SetUserGroupNamespaceAccessRequest, SetUserGroupNamespaceAccessResponse> =>
  changing(s, M.SetUserGroupNamespaceAccess, ({ namespace, groupId, access: given, resourceVersion }, draft, call) => {
    const old = s.cloud.groups.at(groupId, resourceVersion);
    const { access, namespaceIds } = nextAccess(s, call, old, namespace, given);
    draft.put(s.cloud.groups, groupId, { ...old.spec, access }, { namespaceIds });
    draft.about(groupId, namespace);
  });

export const addUserGroupMember = (s: Services): Handler<AddUserGroupMemberRequest, AddUserGroupMemberResponse> =>
  changing(s, M.AddUserGroupMember, ({ groupId, memberId }, draft, call) => {
    const group = s.cloud.groups.get(groupId);
    const userId = userIdOf(memberId);
    s.cloud.users.get(userId);
    const id = `${groupId}/${userId}`;
    if (s.cloud.members.find(id) !== undefined) throw alreadyExists(`user ${userId} is a member of the group already`);
    checkMayGive(s, call, group.spec.access, group.record.namespaceIds);
    draft.put(s.cloud.members, id, { memberType: { case: "userId", value: userId } });
    draft.about(groupId);
  });

export const removeUserGroupMember = (s: Services): Handler<RemoveUserGroupMemberRequest, RemoveUserGroupMemberResponse> =>
  changing(s, M.RemoveUserGroupMember, ({ groupId, memberId }, draft, call) => {
    const group = s.cloud.groups.get(groupId);
    checkMayTouch(s, call, group.spec.access);
    const userId = userIdOf(memberId);
    const member = s.cloud.members.find(`${groupId}/${userId}`);
    if (member === undefined) throw notFound(`user ${userId} is no member of the group`);
    draft.delete(s.cloud.members, member);
    draft.about(groupId);
  });

export const getUserGroupMembers =
  (s: Services): Handler<GetUserGroupMembersRequest, GetUserGroupMembersResponse> =>
  (request) => {
    s.cloud.groups.get(request.groupId);
    const { items, nextPageToken } = page(membersOf(s, request.groupId), (m) => m.id, request);
    return { members: items.map((m) => ({ memberId: m.spec, createdTime: timestampOf(m.record.createTime) })), nextPageToken };
  };

export const getUserGroupNamespaceAssignments =
  (s: Services): Handler<GetUserGroupNamespaceAssignmentsRequest, GetUserGroupNamespaceAssignmentsResponse> =>
  (request) => {
    const { items, nextPageToken } = assignments(s, s.cloud.groups, request);
    return {
      groups: items.map(({ resource: { id, spec, version }, namespaceAccess }) => ({
        ...{ id, displayName: spec.displayName, namespaceAccess, resourceVersion: String(version) },
        inheritedAccess: inheritsNamespaces(spec.access),
      })),
      nextPageToken,
    };
  };

const membersOf = (s: Services, groupId: string): Resource<UserGroupMemberId>[] =>
  s.cloud.members.all().filter((m) => m.id.startsWith(`${groupId}/`));

function userIdOf(id: UserGroupMemberId | undefined): string {
  if (id?.memberType.case !== "userId" || id.memberType.value === "") throw invalidArgument("member_id is not set on request.");
  return id.memberType.value;
}

/** @throws ServiceError @param id of the group that has the name already. */
function checkGroup(s: Services, spec: UserGroupSpec | undefined, id: string | undefined): string {
  const name = spec?.displayName ?? "";
  if (name === "") throw invalidArgument("spec.display_name is not set on request.");
  if (name.length > NAME_LENGTH_MAX || name.includes("\u0000")) throw invalidArgument(`display_name is longer than ${NAME_LENGTH_MAX} or not a text`);
  const kind = spec?.groupType.case;
  if (kind === undefined) throw invalidArgument("spec.group_type is not set on request.");
  if (kind === "scimGroup") throw invalidArgument("SCIM groups cannot be created or changed directly");
  if (kind === "googleGroup") throw failedPrecondition("no identity provider is connected to this server that would tell the members of the group");
  if (s.cloud.groups.all().some((g) => g.id !== id && g.spec.displayName === name)) throw alreadyExists(`a user group ${name} exists already`);
  return name;
}
