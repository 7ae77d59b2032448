/** Worker deployments: when a version came into being, became current, began to drain and had drained. */
import { command as c } from "../../conformance/session.js";
import { current, deployment, describeVersion, poll, ramping, register, version } from "../../conformance/worker-versions.js";
import type { MomentScript, MomentSession } from "../moment-session.js";

const deploymentShown = async (s: MomentSession, what: string) => {
  const { workerDeploymentInfo } = await s.call("DescribeWorkerDeployment", { deploymentName: deployment(s) });
  workerDeploymentInfo?.versionSummaries.sort((a, b) => (a.version < b.version ? -1 : 1));
  s.leaves(what, workerDeploymentInfo);
};
const versionShown = async (s: MomentSession, what: string, buildId: string) => {
  const { workerDeploymentVersionInfo } = await s.call("DescribeWorkerDeploymentVersion", { deploymentVersion: version(s, buildId) });
  s.leaves(what, workerDeploymentVersionInfo);
};
const PINNED = 1;

export const scripts: Record<string, MomentScript> = {
  "a version from its first poll to current": async (s) => {
    await register(s, "1");
    s.happens("registered");
    await versionShown(s, "inactive", "1");
    await current(s, "1");
    s.happens("current");
    await deploymentShown(s, "deployment");
    await versionShown(s, "current", "1");
  },
  "a version that ramps, and takes over": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    s.happens("1 is current");
    await s.sleep(1500);
    await ramping(s, "2", 30);
    s.happens("2 ramps");
    await deploymentShown(s, "ramping");
    await versionShown(s, "ramping version", "2");
    await s.sleep(1500);
    await current(s, "2");
    s.happens("2 is current");
    await deploymentShown(s, "second is current");
    await versionShown(s, "first", "1");
    await versionShown(s, "second", "2");
  },
  "a version that drains": async (s) => {
    await register(s, "1");
    await register(s, "2");
    await current(s, "1");
    await s.start();
    const t = await poll(s, "1");
    await s.completeWith(t, {
      versioningBehavior: PINNED,
      deploymentOptions: { deploymentName: deployment(s), buildId: "1", workerVersioningMode: 2 },
    });
    await current(s, "2");
    s.happens("2 is current");
    await versionShown(s, "drains", "1");
    await s.signal("end");
    await s.completeWith(await poll(s, "1"), {
      commands: [c.complete()],
      versioningBehavior: PINNED,
      deploymentOptions: { deploymentName: deployment(s), buildId: "1", workerVersioningMode: 2 },
    });
    s.happens("nothing runs");
    await s.until("the version has drained", async () => (await describeVersion(s, "1"))?.status === 5);
    s.happens("drained");
    await versionShown(s, "drained", "1");
  },
};
