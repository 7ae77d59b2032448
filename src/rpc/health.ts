/** grpc.health.v1: the server as a whole, and each service by name. Watchers hear of every change. */
import { HealthCheckRequest, HealthCheckResponse, HealthCheckResponse_ServingStatus as ServingStatus } from "../../gen/wire/grpc/health/v1/health.js";
import type { Method } from "../api/call.js";
import { Code, ServiceError } from "../api/service-error.js";

export const HEALTH_SERVICE = "grpc.health.v1.Health";

export class Health {
  private isServing = false;
  private readonly watchers = new Set<() => void>();

  constructor(private readonly services: ReadonlySet<string> = new Set()) {}

  setServing(value: boolean): void {
    if (value === this.isServing) return;
    this.isServing = value;
    for (const w of [...this.watchers]) w();
  }

  status(service: string): ServingStatus | undefined {
    if (service !== "" && this.services.size > 0 && !this.services.has(service)) return undefined;
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
