// In the bundle these are imports: as globals they are getters, and the hot path uses them a dozen times a request.
export { Buffer } from "node:buffer";
export { performance } from "node:perf_hooks";
