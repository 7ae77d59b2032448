/** The Nexus service that nexus.test.ts serves and nexus-workflows.ts calls. Runs in the SDK's sandbox too: definitions only. */
import * as nexus from "nexus-rpc";

export const service = nexus.service("suite", {
  echo: nexus.operation<string, string>(),
  none: nexus.operation<void, void>(),
  refuse: nexus.operation<string, string>(),
  fail: nexus.operation<string, string>(),
  flaky: nexus.operation<string, string>(),
  never: nexus.operation<string, string>(),
  run: nexus.operation<string, string>(),
});
