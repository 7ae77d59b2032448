package suite;

import java.util.ArrayList;
import java.util.List;

/** Names of event types, and sequences of them. */
final class Events {
  static final String STARTED = "WORKFLOW_EXECUTION_STARTED";
  static final String COMPLETED = "WORKFLOW_EXECUTION_COMPLETED";
  static final String SIGNALED = "WORKFLOW_EXECUTION_SIGNALED";
  static final String TIMER_STARTED = "TIMER_STARTED";
  static final String TIMER_FIRED = "TIMER_FIRED";
  static final String MARKER = "MARKER_RECORDED";
  static final String CANCEL_ASKED = "WORKFLOW_EXECUTION_CANCEL_REQUESTED";
  static final String CHILD_INITIATED = "START_CHILD_WORKFLOW_EXECUTION_INITIATED";
  static final String CHILD_STARTED = "CHILD_WORKFLOW_EXECUTION_STARTED";
  static final String CHILD_COMPLETED = "CHILD_WORKFLOW_EXECUTION_COMPLETED";
  static final String UPDATE_ACCEPTED = "WORKFLOW_EXECUTION_UPDATE_ACCEPTED";
  static final String UPDATE_COMPLETED = "WORKFLOW_EXECUTION_UPDATE_COMPLETED";
  static final List<String> ACTIVITY = List.of("ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED");

  private Events() {}

  /**
   * @param parts names, or lists of them
   */
  static List<String> events(Object... parts) {
    List<String> all = new ArrayList<>();
    for (Object part : parts) {
      if (part instanceof List<?> names) names.forEach(n -> all.add((String) n));
      else all.add((String) part);
    }
    return all;
  }
}
