/** A setup file of vitest: its hook is the first of every test file and therefore ends last, after those that stop servers. */
import { afterAll } from "vitest";
import { removeTemporaryDirectories } from "./temporary-directory.js";

afterAll(removeTemporaryDirectories);
