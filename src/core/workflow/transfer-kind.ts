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
}
