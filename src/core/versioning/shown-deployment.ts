/** Deployments and versions as the API shows them. */
import type { WorkerDeploymentRecord, WorkerDeploymentVersionRecord } from "../../../gen/wire/perdure/persistence/v1/records.js";
import type {
  WorkerDeploymentInfo_WorkerDeploymentVersionSummary as Summary,
  VersionDrainageInfo,
  WorkerDeploymentInfo,
  WorkerDeploymentVersionInfo,
} from "../../../gen/wire/temporal/api/deployment/v1/message.js";
import { VersionDrainageStatus } from "../../../gen/wire/temporal/api/enums/v1/deployment.js";
import { RoutingConfigUpdateState } from "../../../gen/wire/temporal/api/enums/v1/task_queue.js";
import type { ListWorkerDeploymentsResponse_WorkerDeploymentSummary as ListEntry } from "../../../gen/wire/temporal/api/workflowservice/v1/request_response.js";
import { timestamp, timestampOf } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { computeSummary } from "./compute-config.js";
import { oldVersionText } from "./version.js";

function drainageOf(v: WorkerDeploymentVersionRecord): Init<VersionDrainageInfo> | undefined {
  if (v.drainageStatus === VersionDrainageStatus.UNSPECIFIED) return undefined;
  return { status: v.drainageStatus, lastChangedTime: timestamp(v.drainageChanged), lastCheckedTime: timestamp(v.drainageChecked) };
}

function summaryOf(d: WorkerDeploymentRecord, v: WorkerDeploymentVersionRecord): Init<Summary> {
  const deploymentVersion = { deploymentName: d.name, buildId: v.buildId };
  const erased = v.drainageErased > 0 ? { lastChangedTime: timestamp(v.drainageErased), lastCheckedTime: timestamp(v.drainageErased) } : undefined;
  return {
    version: oldVersionText(deploymentVersion),
    deploymentVersion,
    status: v.status,
    createTime: timestamp(v.createTime),
    drainageStatus: v.drainageStatus,
    drainageInfo: drainageOf(v) ?? erased,
    currentSinceTime: timestamp(v.currentSince),
    rampingSinceTime: timestamp(v.rampingSince),
    routingUpdateTime: timestamp(v.routingUpdateTime),
    firstActivationTime: timestamp(v.firstActivationTime),
    lastCurrentTime: timestamp(v.lastCurrentTime),
    lastDeactivationTime: timestamp(v.lastDeactivationTime),
    computeConfig: computeSummary(v.computeConfig),
  };
}

const latestFirst = (d: WorkerDeploymentRecord) => [...d.versions].sort((a, b) => b.createTime - a.createTime);

export function deploymentInfo(d: WorkerDeploymentRecord): Init<WorkerDeploymentInfo> {
  return {
    name: d.name,
    createTime: timestampOf(d.createTime),
    routingConfig: d.routingConfig,
    lastModifierIdentity: d.lastModifierIdentity,
    managerIdentity: d.managerIdentity,
    // A change is everywhere when it is durable.
    routingConfigUpdateState: RoutingConfigUpdateState.COMPLETED,
    versionSummaries: latestFirst(d).map((v) => summaryOf(d, v)),
  };
}

export function versionInfo(d: WorkerDeploymentRecord, v: WorkerDeploymentVersionRecord): Init<WorkerDeploymentVersionInfo> {
  const deploymentVersion = { deploymentName: d.name, buildId: v.buildId };
  const hasGroups = Object.keys(v.computeConfig?.scalingGroups ?? {}).length > 0;
  return {
    version: oldVersionText(deploymentVersion),
    deploymentVersion,
    status: v.status,
    createTime: timestamp(v.createTime),
    routingChangedTime: timestamp(v.routingUpdateTime),
    currentSinceTime: timestamp(v.currentSince),
    rampingSinceTime: timestamp(v.rampingSince),
    rampPercentage: v.rampPercentage,
    taskQueueInfos: v.taskQueues,
    drainageInfo: drainageOf(v),
    metadata: v.metadata,
    computeConfig: hasGroups ? v.computeConfig : undefined,
    lastModifierIdentity: v.lastModifierIdentity,
  };
}

/** An entry of a list. */
export function listEntry(d: WorkerDeploymentRecord): Init<ListEntry> {
  const { currentVersion = "", rampingVersion = "" } = d.routingConfig ?? {};
  const named = (text: string) => {
    const v = d.versions.find((x) => oldVersionText({ deploymentName: d.name, buildId: x.buildId }) === text);
    return v === undefined ? undefined : summaryOf(d, v);
  };
  const [latest] = latestFirst(d);
  return {
    name: d.name,
    createTime: timestampOf(d.createTime),
    routingConfig: d.routingConfig,
    latestVersionSummary: latest === undefined ? undefined : summaryOf(d, latest),
    currentVersionSummary: named(currentVersion),
    rampingVersionSummary: named(rampingVersion),
  };
}
