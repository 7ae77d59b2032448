import { describe, expect, test } from "vitest";
import { createLogger, type LogFormat, type LogLevel } from "./logger.js";

function logged(level: LogLevel, format: LogFormat) {
  const lines: string[] = [];
  return { lines, logger: createLogger(level, format, { write: (line) => lines.push(line) }) };
}

describe("logger", () => {
  test("leaves out what is below its level", () => {
    const { lines, logger } = logged("warn", "json");
    logger.info({}, "no");
    logger.warn({ workflowId: "w" }, "yes");
    expect(lines.map((l) => JSON.parse(l))).toEqual([{ level: "warn", time: expect.any(String), workflowId: "w", msg: "yes" }]);
  });

  test("never means not even errors", () => {
    const { lines, logger } = logged("never", "text");
    logger.error({}, "no");
    expect(lines).toEqual([]);
  });

  test("text is one line with the fields after the message, quoted where they need it", () => {
    const { lines, logger } = logged("info", "text");
    logger.info({ queue: "a b", count: 3, name: "x" }, "loaded");
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}loaded queue="a b" count=3 name=x\n$/);
  });

  test("an error is logged with its message and stack", () => {
    const { lines, logger } = logged("error", "text");
    logger.error({ err: new Error("disk gone") }, "commit failed");
    expect(lines[0]).toContain('commit failed error="disk gone"\nError: disk gone');
  });
});
