/** Worker deployments: their versions, which of them gets new work, and who may say so. */
import type { WorkerDeploymentRecord, WorkerDeploymentVersionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type {
  CreateWorkerDeploymentRequest,
  CreateWorkerDeploymentResponse,
  CreateWorkerDeploymentVersionRequest,
  CreateWorkerDeploymentVersionResponse,
  DeleteWorkerDeploymentRequest,
  DeleteWorkerDeploymentResponse,
  DeleteWorkerDeploymentVersionRequest,
  DeleteWorkerDeploymentVersionResponse,
  DescribeWorkerDeploymentRequest,
  DescribeWorkerDeploymentResponse,
  DescribeWorkerDeploymentVersionRequest,
  DescribeWorkerDeploymentVersionResponse,
  ListWorkerDeploymentsRequest,
  ListWorkerDeploymentsResponse,
  SetWorkerDeploymentCurrentVersionRequest,
  SetWorkerDeploymentCurrentVersionResponse,
  SetWorkerDeploymentManagerRequest,
  SetWorkerDeploymentManagerResponse,
  SetWorkerDeploymentRampingVersionRequest,
  SetWorkerDeploymentRampingVersionResponse,
  UpdateWorkerDeploymentVersionComputeConfigRequest,
  UpdateWorkerDeploymentVersionComputeConfigResponse,
  UpdateWorkerDeploymentVersionMetadataRequest,
  UpdateWorkerDeploymentVersionMetadataResponse,
  ValidateWorkerDeploymentVersionComputeConfigRequest,
  ValidateWorkerDeploymentVersionComputeConfigResponse,
} from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import type { Handler } from "../../api/call.js";
import {
  alreadyExists,
  failedPrecondition,
  internal,
  invalidArgument,
  notFound,
  permissionDenied,
  type ServiceError,
} from "../../api/service-error.js";
import { checkComputeConfig, updatedComputeConfig } from "../../core/versioning/compute-config.js";
import {
  AUTO_CREATED,
  createVersion,
  type DeploymentLimits,
  deleteVersion,
  deploymentNotFound,
  findVersion,
  type QueueFacts,
  type Routed,
  replaceVersion,
  setCurrent,
  setManager,
  setRamping,
  updatedMetadata,
  versionNotFound,
} from "../../core/versioning/deployment.js";
import { deploymentInfo, listEntry, versionInfo } from "../../core/versioning/shown-deployment.js";
import { oldVersionText, parseVersion, UNVERSIONED, type Version, validateVersionField } from "../../core/versioning/version.js";
import { uuidV4 } from "../../lib/uuid.js";
import type { DeploymentChange } from "../../matching/deployments.js";
import type { Services } from "../services.js";

function requireServed(s: Services, namespace: string): void {
  if (!s.limits(namespace).areDeploymentsServed) throw permissionDenied("Worker Deployment Versions are disabled on this namespace.", "");
}

/** Of the present configuration. */
const limitsOf = (s: Services, namespaceId: string): DeploymentLimits => s.deployments.limits(namespaceId);

const idOrNew = (s: Services, requestId: string): string => (requestId === "" ? uuidV4(s.runtime.randomBytes16()) : requestId);

/** What is kept of a deployment that does not exist yet, where a request may make it. */
function orNew(s: Services, record: WorkerDeploymentRecord | undefined, namespaceId: string, name: string, now: number): WorkerDeploymentRecord {
  return record ?? s.deployments.created(namespaceId, name, idOrNew(s, ""), "", now);
}

function validateName(s: Services, namespace: string, name: string): void {
  validateVersionField("WorkerDeploymentName", name, s.limits(namespace).idLengthMax);
}

/** @throws ServiceError with the text of the older form. */
function parsed(text: string): Version | undefined {
  try {
    return parseVersion(text);
  } catch {
    throw invalidArgument(`invalid version string ${JSON.stringify(text)}, expected format is "<deployment_name>.<build_id>"`);
  }
}

/** Of a request that changes where work goes. */
function routed(text: string, deploymentName: string): Version | undefined {
  let version: Version | undefined;
  try {
    version = parseVersion(text);
  } catch (e) {
    throw invalidArgument(`invalid version string: ${(e as Error).message}`);
  }
  if (version !== undefined && version.deploymentName !== deploymentName)
    throw invalidArgument(`invalid version string '${text}' does not match deployment name '${deploymentName}'`);
  return version;
}

export const describeWorkerDeployment =
  (s: Services): Handler<DescribeWorkerDeploymentRequest, DescribeWorkerDeploymentResponse> =>
  ({ namespace, deploymentName }) => {
    requireServed(s, namespace);
    const { id } = s.namespaces.view(namespace);
    validateName(s, namespace, deploymentName);
    const record = s.deployments.get(id, deploymentName);
    if (record === undefined) throw deploymentNotFound(deploymentName);
    return { workerDeploymentInfo: deploymentInfo(record), conflictToken: record.conflictToken };
  };

export const describeWorkerDeploymentVersion =
  (s: Services): Handler<DescribeWorkerDeploymentVersionRequest, DescribeWorkerDeploymentVersionResponse> =>
  async (request) => {
    requireServed(s, request.namespace);
    const namespace = s.namespaces.view(request.namespace);
    if (request.version === "" && request.deploymentVersion === undefined) throw invalidArgument("deployment version cannot be empty");
    const { deploymentName = "", buildId = "" } = parsed(request.version || oldVersionText(request.deploymentVersion)) ?? {};
    validateName(s, request.namespace, deploymentName);
    validateVersionField("BuildID", buildId, s.limits(request.namespace).idLengthMax);
    const record = s.deployments.get(namespace.id, deploymentName);
    const version = findVersion(record, buildId);
    if (record === undefined || version === undefined) throw notFound("Worker Deployment Version not found");
    const stats = request.reportTaskQueueStats
      ? await s.matching.versionStats(namespace, { deploymentName, buildId }, version.taskQueues)
      : undefined;
    return {
      workerDeploymentVersionInfo: versionInfo(record, version),
      versionTaskQueues: version.taskQueues.map(({ name, type }, i) => ({ name, type, ...stats?.[i] })),
    };
  };

export const listWorkerDeployments =
  (s: Services): Handler<ListWorkerDeploymentsRequest, ListWorkerDeploymentsResponse> =>
  ({ namespace, pageSize, nextPageToken }) => {
    requireServed(s, namespace);
    const { id } = s.namespaces.view(namespace);
    const max = s.limits(namespace).visibilityPageSizeMax;
    const size = pageSize <= 0 || pageSize > max ? max : pageSize;
    const after = Buffer.from(nextPageToken).toString();
    const all = s.deployments.list(id);
    const from = after === "" ? 0 : all.findIndex((d) => d.name === after) + 1;
    const page = all.slice(from, from + size);
    const isLast = from + size >= all.length;
    return { workerDeployments: page.map(listEntry), nextPageToken: isLast ? new Uint8Array(0) : Buffer.from(page.at(-1)?.name ?? "") };
  };

export const createWorkerDeployment =
  (s: Services): Handler<CreateWorkerDeploymentRequest, CreateWorkerDeploymentResponse> =>
  async ({ namespace, deploymentName, identity, requestId: asked }) => {
    if (deploymentName === "") throw invalidArgument("deployment name cannot be empty");
    requireServed(s, namespace);
    const { id } = s.namespaces.view(namespace);
    const requestId = idOrNew(s, asked);
    validateName(s, namespace, deploymentName);
    let conflictToken: Uint8Array = new Uint8Array(0);
    await s.deployments.change(
      id,
      deploymentName,
      (record, now) => {
        if (record === undefined) {
          const made = s.deployments.created(id, deploymentName, requestId, identity, now);
          conflictToken = made.conflictToken;
          return made;
        }
        const exists = `Worker Deployment with name ${JSON.stringify(deploymentName)} already exists`;
        if (record.createRequestId.startsWith(AUTO_CREATED)) throw alreadyExists(`${exists} (auto-created from worker polls)`);
        if (record.createRequestId !== requestId) throw alreadyExists(exists);
        conflictToken = record.conflictToken;
        return undefined;
      },
      true,
    );
    return { conflictToken };
  };

export const createWorkerDeploymentVersion =
  (s: Services): Handler<CreateWorkerDeploymentVersionRequest, CreateWorkerDeploymentVersionResponse> =>
  async (request) => {
    const { namespace } = request;
    const { deploymentName = "", buildId = "" } = request.deploymentVersion ?? {};
    if (deploymentName === "") throw invalidArgument("deployment name cannot be empty");
    if (buildId === "") throw invalidArgument("build ID cannot be empty");
    requireServed(s, namespace);
    const view = s.namespaces.view(namespace);
    const requestId = idOrNew(s, request.requestId);
    validateName(s, namespace, deploymentName);
    validateVersionField("BuildID", buildId, s.limits(namespace).idLengthMax);
    const facts = s.matching.queueFacts(view);
    await s.deployments.change(view.id, deploymentName, (record, now) => {
      if (request.computeConfig !== undefined && findVersion(record, buildId) === undefined) checkComputeConfig(request.computeConfig);
      const { identity, computeConfig } = request;
      return createVersion(record as WorkerDeploymentRecord, { buildId, requestId, identity, computeConfig }, limitsOf(s, view.id), facts, now);
    });
    return {};
  };

/** One change of a deployment's routing, on one that may have to be made first. */
async function route(
  s: Services,
  namespace: string,
  request: { deploymentName: string; allowNoPollers: boolean },
  version: Version | undefined,
  f: (record: WorkerDeploymentRecord, facts: QueueFacts, now: number) => Routed,
): Promise<Routed> {
  const view = s.namespaces.view(namespace);
  const { deploymentName, allowNoPollers } = request;
  validateName(s, namespace, deploymentName);
  if (allowNoPollers && version !== undefined) validateVersionField("BuildID", version.buildId, s.limits(namespace).idLengthMax);
  const facts = s.matching.queueFacts(view);
  let result: Routed | undefined;
  const change = (record: WorkerDeploymentRecord | undefined, now: number): DeploymentChange => {
    const base = orNew(s, record, view.id, deploymentName, now);
    result = f(base, facts, now);
    return result.record ?? (record === undefined ? base : undefined);
  };
  await s.deployments.change(view.id, deploymentName, change, allowNoPollers);
  if (result === undefined) throw internal("a change of routing has a result");
  if (result.refused !== undefined) throw result.refused;
  return result;
}

export const setWorkerDeploymentCurrentVersion =
  (s: Services): Handler<SetWorkerDeploymentCurrentVersionRequest, SetWorkerDeploymentCurrentVersionResponse> =>
  async (request) => {
    requireServed(s, request.namespace);
    s.namespaces.view(request.namespace);
    const { deploymentName, buildId } = request;
    if (deploymentName === "") throw invalidArgument("deployment name cannot be empty");
    const text = request.version || oldVersionText(buildId === "" ? undefined : { deploymentName, buildId });
    const version = routed(text, deploymentName);
    const { conflictToken, previousVersion } = await route(s, request.namespace, request, version, (record, facts, now) =>
      setCurrent(record, { ...request, version: text }, limitsOf(s, record.namespaceId), facts, now),
    );
    return { conflictToken, previousVersion, previousDeploymentVersion: parseVersion(previousVersion) };
  };

export const setWorkerDeploymentRampingVersion =
  (s: Services): Handler<SetWorkerDeploymentRampingVersionRequest, SetWorkerDeploymentRampingVersionResponse> =>
  async (request) => {
    requireServed(s, request.namespace);
    s.namespaces.view(request.namespace);
    const { deploymentName, buildId, percentage } = request;
    let text = request.version;
    if (text === "") {
      if (buildId !== "") text = oldVersionText({ deploymentName, buildId });
      else if (percentage > 0) text = UNVERSIONED;
    }
    // How older SDKs say that nothing is to ramp.
    if (text === UNVERSIONED && percentage === 0 && buildId === "") text = "";
    if (percentage < 0 || percentage > 100) throw invalidArgument("Percentage must be between 0 and 100 (inclusive)");
    const version = text === "" ? undefined : routed(text, deploymentName);
    const result = await route(s, request.namespace, request, version, (record, facts, now) =>
      setRamping(record, { ...request, version: text }, limitsOf(s, record.namespaceId), facts, now),
    );
    const { conflictToken, previousVersion, previousPercentage } = result;
    return {
      conflictToken,
      previousVersion,
      previousPercentage,
      previousDeploymentVersion: previousVersion === "" ? undefined : parseVersion(previousVersion),
    };
  };

export const setWorkerDeploymentManager =
  (s: Services): Handler<SetWorkerDeploymentManagerRequest, SetWorkerDeploymentManagerResponse> =>
  async ({ namespace, deploymentName, identity, conflictToken, newManagerIdentity }) => {
    if (identity === "") throw invalidArgument("Identity is required");
    const { id } = s.namespaces.view(namespace);
    const manager =
      newManagerIdentity.case === "self" && newManagerIdentity.value
        ? identity
        : newManagerIdentity.case === "managerIdentity"
          ? newManagerIdentity.value
          : "";
    validateName(s, namespace, deploymentName);
    let result: ReturnType<typeof setManager> | undefined;
    await s.deployments.change(id, deploymentName, (record, now) => {
      result = setManager(record as WorkerDeploymentRecord, { identity, manager, conflictToken }, now);
      return result.record;
    });
    return { conflictToken: result?.conflictToken, previousManagerIdentity: result?.previous };
  };

export const deleteWorkerDeployment =
  (s: Services): Handler<DeleteWorkerDeploymentRequest, DeleteWorkerDeploymentResponse> =>
  async ({ namespace, deploymentName }) => {
    const { id } = s.namespaces.view(namespace);
    validateName(s, namespace, deploymentName);
    await s.deployments.change(
      id,
      deploymentName,
      (record) => {
        if (record === undefined) return undefined;
        if (record.versions.length > 0) throw failedPrecondition("deployment has versions, can't be deleted");
        return "deleted";
      },
      true,
    );
    return {};
  };

export const deleteWorkerDeploymentVersion =
  (s: Services): Handler<DeleteWorkerDeploymentVersionRequest, DeleteWorkerDeploymentVersionResponse> =>
  async (request) => {
    const { namespace, skipDrainage } = request;
    const view = s.namespaces.view(namespace);
    const text = request.deploymentVersion === undefined ? request.version : oldVersionText(request.deploymentVersion);
    const { deploymentName = "", buildId = "" } = parsed(text) ?? {};
    validateName(s, namespace, deploymentName);
    const identity = idOrNew(s, request.identity);
    const facts = s.matching.queueFacts(view);
    await s.deployments.change(view.id, deploymentName, (record) =>
      deleteVersion(record as WorkerDeploymentRecord, buildId, { identity, skipDrainage }, facts),
    );
    return {};
  };

/** Changes one version. */
async function changeVersion(
  s: Services,
  namespaceId: string,
  { deploymentName, buildId }: Version,
  missing: () => ServiceError,
  f: (version: WorkerDeploymentVersionRecord) => WorkerDeploymentVersionRecord,
): Promise<WorkerDeploymentVersionRecord> {
  let changed: WorkerDeploymentVersionRecord | undefined;
  await s.deployments.change(
    namespaceId,
    deploymentName,
    (record) => {
      const version = findVersion(record, buildId);
      if (record === undefined || version === undefined) throw missing();
      changed = f(version);
      return replaceVersion(record, changed);
    },
    true,
  );
  return changed as WorkerDeploymentVersionRecord;
}

export const updateWorkerDeploymentVersionMetadata =
  (s: Services): Handler<UpdateWorkerDeploymentVersionMetadataRequest, UpdateWorkerDeploymentVersionMetadataResponse> =>
  async (request) => {
    const { upsertEntries, removeEntries, identity } = request;
    if (Object.keys(upsertEntries).length === 0 && removeEntries.length === 0)
      throw invalidArgument("At least one of remove_entries or upsert_entries must be provided");
    const { id } = s.namespaces.view(request.namespace);
    const version = request.deploymentVersion ?? parsed(request.version) ?? { deploymentName: "", buildId: "" };
    const missing = () => versionNotFound(version.buildId, version.deploymentName);
    const changed = await changeVersion(s, id, version, missing, (v) => updatedMetadata(v, upsertEntries, removeEntries, identity));
    return { metadata: changed.metadata };
  };

export const updateWorkerDeploymentVersionComputeConfig =
  (s: Services): Handler<UpdateWorkerDeploymentVersionComputeConfigRequest, UpdateWorkerDeploymentVersionComputeConfigResponse> =>
  async (request) => {
    const version = namedVersion(s, request);
    const { id } = s.namespaces.view(request.namespace);
    const missing = () => versionNotFound(version.buildId, version.deploymentName);
    await changeVersion(s, id, version, missing, (v) => {
      const computeConfig = updatedComputeConfig(v.computeConfig, request.computeConfigScalingGroups, request.removeComputeConfigScalingGroups);
      // Without any group left nobody runs its workers any more.
      if (Object.keys(computeConfig.scalingGroups).length > 0 || v.computeConfig === undefined) checkComputeConfig(computeConfig);
      return { ...v, computeConfig, lastModifierIdentity: request.identity };
    });
    return {};
  };

function namedVersion(s: Services, request: { namespace: string; deploymentVersion: Version | undefined }): Version {
  const { deploymentName = "", buildId = "" } = request.deploymentVersion ?? {};
  if (deploymentName === "") throw invalidArgument("deployment name cannot be empty");
  if (buildId === "") throw invalidArgument("build ID cannot be empty");
  requireServed(s, request.namespace);
  return { deploymentName, buildId };
}

export const validateWorkerDeploymentVersionComputeConfig =
  (s: Services): Handler<ValidateWorkerDeploymentVersionComputeConfigRequest, ValidateWorkerDeploymentVersionComputeConfigResponse> =>
  (request) => {
    requireServed(s, request.namespace);
    const { id } = s.namespaces.view(request.namespace);
    const { deploymentName = "", buildId = "" } = request.deploymentVersion ?? {};
    const before = findVersion(s.deployments.get(id, deploymentName), buildId)?.computeConfig;
    const removes = request.removeComputeConfigScalingGroups;
    if (before === undefined && (removes.length > 0 || Object.keys(request.computeConfigScalingGroups).length === 0))
      throw invalidArgument("No prior compute config found, which means nothing can be removed and something needs to be added to be valid");
    checkComputeConfig(updatedComputeConfig(before, request.computeConfigScalingGroups, removes));
    return {};
  };
