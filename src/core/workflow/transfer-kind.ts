/** Effects on other executions (TransferRecord.kind). Numbers are stored. */
export enum TransferKind {
  START_CHILD = 1,
  SIGNAL_EXTERNAL = 2,
  CANCEL_EXTERNAL = 3,
  /** Tells the parent how this run ended. */
  CHILD_CLOSED = 4,
  PARENT_CLOSE_TERMINATE = 5,
  PARENT_CLOSE_CANCEL = 6,
  /** Lets a child whose start is recorded begin. */
  FIRST_TASK = 7,
  /** Has the closed run archived: no effect on another execution, but carried as reliably. */
  ARCHIVE = 8,
  /** Starts the action of a schedule. */
  START_SCHEDULED = 40,
  CANCEL_SCHEDULED = 41,
  TERMINATE_SCHEDULED = 42,
  /** Tells the execution that an internal completion callback names how this workflow ended. */
  INTERNAL_CALLBACK = 43,
}
