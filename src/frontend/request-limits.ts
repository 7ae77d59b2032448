/** The settings that request validation reads, of one namespace, by what they limit. */
export interface RequestLimits {
  readonly idLengthMax: number;
  readonly buildIdSizeMax: number;
  readonly blobSizeWarn: number;
  readonly blobSizeError: number;
  readonly memoSizeWarn: number;
  readonly memoSizeError: number;
  readonly linksPerRequestMax: number;
  readonly linkSizeMax: number;
  readonly historyPageSizeMax: number;
  readonly visibilityPageSizeMax: number;
  readonly longPollExpirationMs: number;
  /** Microseconds. */
  readonly defaultWorkflowTaskTimeout: number;
  readonly workflowTaskCompletionSizeMax: number;
}
