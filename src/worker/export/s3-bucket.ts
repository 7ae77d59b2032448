/** Objects put into buckets of S3, by the server's own credentials. The AWS SDK is loaded with the first of them. */
import type { S3Client } from "@aws-sdk/client-s3";
import type { S3Spec } from "../../../gen/wire/temporal/api/cloud/sink/v1/message.js";
import { invalidArgument, unavailable } from "../../api/service-error.js";
import { openS3, type S3Sdk, type S3Settings } from "../archival/s3-store.js";

/** What the bucket's owner has to set right. */
const USER_FAULTS: ReadonlySet<string> = new Set([
  "NoSuchBucket",
  "NotFound",
  "AccessDenied",
  "Forbidden",
  "PermanentRedirect",
  "KMS.NotFoundException",
]);

export class S3Bucket {
  /** By region. */
  private readonly clients = new Map<string, Promise<{ sdk: S3Sdk; client: S3Client }>>();

  constructor(private readonly settings: () => S3Settings) {}

  /** @throws INVALID_ARGUMENT when the bucket does not take it, UNAVAILABLE when it cannot be asked. */
  async put({ bucketName, region, kmsArn }: S3Spec, key: string, body: Uint8Array): Promise<void> {
    let opened = this.clients.get(region);
    if (opened === undefined) this.clients.set(region, (opened = openS3({ ...this.settings(), ...(region === "" ? {} : { region }) })));
    const { sdk, client } = await opened;
    const encryption = kmsArn === "" ? {} : ({ ServerSideEncryption: "aws:kms", SSEKMSKeyId: kmsArn } as const);
    try {
      await client.send(new sdk.PutObjectCommand({ Bucket: bucketName, Key: key, Body: body, ...encryption }));
    } catch (e) {
      const { name = "", message = "" } = e as { name?: string; message?: string };
      const text = `bucket ${bucketName} takes no object: ${message || name}`;
      throw USER_FAULTS.has(name) ? invalidArgument(text) : unavailable(text);
    }
  }

  close(): void {
    for (const opened of this.clients.values()) void opened.then(({ client }) => client.destroy());
  }
}
