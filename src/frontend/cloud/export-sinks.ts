/** CloudService: sinks that the histories of closed workflows are exported to. The exporting is a worker's. */
import { CloudExportRecord } from "../../../gen/wire/perdure/persistence/v1/cloud.js";
import type {
  CreateNamespaceExportSinkRequest,
  CreateNamespaceExportSinkResponse,
  DeleteNamespaceExportSinkRequest,
  DeleteNamespaceExportSinkResponse,
  GetNamespaceExportSinkRequest,
  GetNamespaceExportSinkResponse,
  GetNamespaceExportSinksRequest,
  GetNamespaceExportSinksResponse,
  UpdateNamespaceExportSinkRequest,
  UpdateNamespaceExportSinkResponse,
  ValidateNamespaceExportSinkRequest,
  ValidateNamespaceExportSinkResponse,
} from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/request_response.js";
import { CloudService } from "../../../gen/wire/temporal/api/cloud/cloudservice/v1/service.js";
import { type ExportSink, ExportSink_Health, type ExportSinkSpec } from "../../../gen/wire/temporal/api/cloud/namespace/v1/message.js";
import type { Handler } from "../../api/call.js";
import { alreadyExists, failedPrecondition, invalidArgument, notFound } from "../../api/service-error.js";
import { timestamp } from "../../api/time.js";
import type { Init } from "../../api/wire.js";
import { page } from "../../cloud/page.js";
import { checkVersion, type Resource } from "../../cloud/resource-table.js";
import type { Services } from "../services.js";
import { changing, shown } from "./changing.js";
import { liveNamespace } from "./namespaces.js";

const M = CloudService.methods;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/;

function sinkOf(r: Resource<ExportSinkSpec>): Init<ExportSink> {
  const { resourceVersion, state } = shown(r);
  const done: Partial<CloudExportRecord> = r.record.export ?? {};
  const health = done.error ? ExportSink_Health.ERROR_USER_CONFIGURATION : done.checkTime ? ExportSink_Health.OK : ExportSink_Health.UNSPECIFIED;
  return {
    ...{ name: r.spec.name, resourceVersion, state, spec: r.spec, health },
    errorMessage: done.error ?? "",
    latestDataExportTime: timestamp(done.exportTime ?? 0),
    lastHealthCheckTime: timestamp(done.checkTime ?? 0),
  };
}

/** @throws NOT_FOUND */
function find(s: Services, namespace: string, name: string): Resource<ExportSinkSpec> {
  const { view } = liveNamespace(s, namespace);
  if (name === "") throw invalidArgument("name of the export sink is not set on request.");
  const found = s.cloud.exportSinks.find(`${view.id}/${name}`);
  if (found === undefined) throw notFound(`Export sink ${name} is not found.`);
  return found;
}

export const getNamespaceExportSinks =
  (s: Services): Handler<GetNamespaceExportSinksRequest, GetNamespaceExportSinksResponse> =>
  (request) => {
    const prefix = `${liveNamespace(s, request.namespace).view.id}/`;
    const all = s.cloud.exportSinks.all().filter((r) => r.id.startsWith(prefix));
    const { items, nextPageToken } = page(all, (r) => r.id, request);
    return { sinks: items.map(sinkOf), nextPageToken };
  };

export const getNamespaceExportSink =
  (s: Services): Handler<GetNamespaceExportSinkRequest, GetNamespaceExportSinkResponse> =>
  ({ namespace, name }) => ({ sink: sinkOf(find(s, namespace, name)) });

export const createNamespaceExportSink = (s: Services): Handler<CreateNamespaceExportSinkRequest, CreateNamespaceExportSinkResponse> =>
  changing(s, M.CreateNamespaceExportSink, async ({ namespace, spec }, draft) => {
    const { view } = liveNamespace(s, namespace);
    const checked = checkSink(spec);
    const id = `${view.id}/${checked.name}`;
    if (s.cloud.exportSinks.find(id) !== undefined) throw alreadyExists(`an export sink ${checked.name} exists already`);
    // From here on, in the order of commits.
    const nextChange = (await s.history.statusChanges.follow(view)) + 1;
    draft.put(s.cloud.exportSinks, id, checked, { export: CloudExportRecord.create({ nextChange }) });
    draft.about(checked.name, namespace);
  });

export const updateNamespaceExportSink = (s: Services): Handler<UpdateNamespaceExportSinkRequest, UpdateNamespaceExportSinkResponse> =>
  changing(s, M.UpdateNamespaceExportSink, ({ namespace, spec, resourceVersion }, draft) => {
    const checked = checkSink(spec);
    const old = find(s, namespace, checked.name);
    checkVersion(`export sink ${checked.name}`, String(old.version), resourceVersion);
    draft.put(s.cloud.exportSinks, old.id, checked);
    draft.about(checked.name, namespace);
  });

export const deleteNamespaceExportSink = (s: Services): Handler<DeleteNamespaceExportSinkRequest, DeleteNamespaceExportSinkResponse> =>
  changing(s, M.DeleteNamespaceExportSink, ({ namespace, name, resourceVersion }, draft) => {
    const old = find(s, namespace, name);
    checkVersion(`export sink ${name}`, String(old.version), resourceVersion);
    draft.delete(s.cloud.exportSinks, old);
    draft.about(name, namespace);
  });

export const validateNamespaceExportSink =
  (s: Services): Handler<ValidateNamespaceExportSinkRequest, ValidateNamespaceExportSinkResponse> =>
  async ({ namespace, spec }) => {
    liveNamespace(s, namespace);
    await s.exports.validate(checkSink(spec));
    return {};
  };

/** @throws ServiceError */
function checkSink(spec: ExportSinkSpec | undefined): ExportSinkSpec {
  if (spec === undefined || spec.name === "") throw invalidArgument("spec.name is not set on request.");
  if (!NAME.test(spec.name)) throw invalidArgument(`name of the export sink must match ${NAME.source}`);
  if (spec.gcs !== undefined) throw failedPrecondition("histories are exported to S3; to Google's storage not yet");
  if (spec.s3 === undefined || spec.s3.bucketName === "") throw invalidArgument("spec.s3.bucket_name is not set on request.");
  return spec;
}
