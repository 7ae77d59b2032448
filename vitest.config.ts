import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Two cores are what the machines have; tests of test/ start servers and SDK workers of their own.
    pool: "forks",
    maxWorkers: 2,
    // Conformance scripts mostly wait; they share one server.
    maxConcurrency: 40,
    projects: [
      { extends: true, test: { name: "unit", include: ["src/**/*.test.ts"], testTimeout: 60_000 } },
      {
        extends: true,
        test: { name: "system", include: ["test/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false },
      },
    ],
  },
});
