/** grpc.health.v1: the server as a whole, and each service by name. Watchers hear of every change. */
import { HealthCheckRequest, HealthCheckResponse, HealthCheckResponse_ServingStatus as ServingStatus } from "../../gen/wire/grpc/health/v1/health.js";
import type { Method } from "../api/call.js";
import { Code, ServiceError } from "../api/service-error.js";

export const HEALTH_SERVICE = "grpc.health.v1.Health";

export class Health {
  /** Watches end instead of waiting for a change that this server will not see. */
  isEnding = false;
  private isServing = false;
  private readonly watchers = new Set<() => void>();

  /** `services`: those that may be asked for by name, besides "", the server as a whole. */
  constructor(private readonly services: ReadonlySet<string>) {}

  setServing(value: boolean): void {
    if (value === this.isServing) return;
    this.isServing = value;
    this.wake();
  }

  endWatches(): void {
    this.isEnding = true;
    this.wake();
  }

  private wake(): void {
    for (const w of [...this.watchers]) w();
  }

  /** Undefined: no such service. */
  status(service: string): ServingStatus | undefined {
    if (service !== "" && service !== HEALTH_SERVICE && !this.services.has(service)) return undefined;
    return this.isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  onChange(f: () => void): () => void {
    this.watchers.add(f);
    return () => this.watchers.delete(f);
  }

  check(request: HealthCheckRequest): HealthCheckResponse {
    const status = this.status(request.service);
    if (status === undefined) throw new ServiceError(Code.NOT_FOUND, "unknown service");
    return { status };
  }

  /** The unary method as a row of the table. */
  method(): Method<HealthCheckRequest, HealthCheckResponse> {
    return {
      service: HEALTH_SERVICE,
      name: "Check",
      path: `/${HEALTH_SERVICE}/Check`,
      input: HealthCheckRequest,
      output: HealthCheckResponse,
      handler: (request) => this.check(request),
      permission: "none",
      priority: 0,
      longPoll: false,
    };
  }
}
