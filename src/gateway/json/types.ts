/** What a google.protobuf.Any in JSON may hold: every message of the services and of their error details. */
import { createRegistry, type DescFile, type Registry } from "@bufbuild/protobuf";
import { file_temporal_api_cloud_cloudservice_v1_request_response } from "../../../gen/es/temporal/api/cloud/cloudservice/v1/request_response_pb.js";
import { file_temporal_api_errordetails_v1_message } from "../../../gen/es/temporal/api/errordetails/v1/message_pb.js";
import { file_temporal_api_operatorservice_v1_service } from "../../../gen/es/temporal/api/operatorservice/v1/service_pb.js";
import { file_temporal_api_update_v1_message } from "../../../gen/es/temporal/api/update/v1/message_pb.js";
import { file_temporal_api_workflowservice_v1_service } from "../../../gen/es/temporal/api/workflowservice/v1/service_pb.js";

const FILES: readonly DescFile[] = [
  file_temporal_api_workflowservice_v1_service,
  file_temporal_api_operatorservice_v1_service,
  file_temporal_api_cloud_cloudservice_v1_request_response,
  file_temporal_api_errordetails_v1_message,
  file_temporal_api_update_v1_message,
];

export const TYPES: Registry = createRegistry(...FILES);
