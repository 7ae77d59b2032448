import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that take longest start first, in this order: one that began last would leave a core idle at the end. The simulation needs
 * one core all the time, and crash, which counts what the server does in a time, gets most of the other.
 */
const LONG = [
  "test/durability/durability.test.ts",
  "test/conformance/conformance.test.ts",
  "test/limits/limits.test.ts",
  "test/time-skipping/crash.test.ts",
  "test/documents/documents.test.ts",
  "test/simulation/simulation.test.ts",
  "test/crash/crash.test.ts",
  "test/sdk/other-languages.test.ts",
  "test/security/sdks.test.ts",
  "test/sdk/local-environments.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = (file: TestSpecification): number => {
      const i = LONG.findIndex((name) => file.moduleId.endsWith(`/${name}`));
      return i < 0 ? LONG.length : i;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/**
 * A process for each of these. A worker of the TypeScript SDK has a native runtime, there once in a process, as the file that is first
 * wants it; and the simulation breaks the source on purpose.
 */
const APART = [
  "test/sdk/**/*.test.ts",
  "test/archival/*.test.ts",
  "test/cli/*.test.ts",
  "test/crash/*.test.ts",
  "test/security/sdks.test.ts",
  "test/simulation/*.test.ts",
  "test/trigger/trigger.test.ts",
  "test/ui/*.test.ts",
];

export default defineConfig({
  test: {
    // Two cores are what the machines have.
    pool: "forks",
    maxWorkers: 2,
    // Conformance scripts mostly wait; they share one server.
    maxConcurrency: 40,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    setupFiles: ["test/harness/remove-directories.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        // Two processes run them, each file after file: to load the source and what is generated for every file anew took as long as
        // the tests. What a test changes of its process it puts back.
        test: {
          name: "together",
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: APART,
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: "apart", include: APART, sequence: { groupOrder: 1 } } },
    ],
  },
});
