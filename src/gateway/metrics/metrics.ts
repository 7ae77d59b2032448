/**
 * GET /metrics: Prometheus text. The library that writes it is loaded with the first scrape; what it writes is asked of the server
 * each time, and of the process (CPU, memory, event loop, collector) by the library.
 */
import { collectDefaultMetrics, Registry } from "prom-client";
import type { Metric } from "../../telemetry/metrics/metric.js";
import { plainError } from "../official-error.js";
import { runOwn } from "../own-method.js";
import type { RouteModule } from "../route.js";

/** The event loop is sampled ten times a second: a hundred, as the library does by itself, cost 0.4 % of a core that has nothing to do. */
const EVENT_LOOP_SAMPLE_MS = 100;

function registryOf(metrics: readonly Metric[]): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
  for (const { name, help, type, samples } of metrics) {
    const values = async () =>
      [...(await samples())].map(({ labels, value, part }) => ({ labels, value, metricName: part === undefined ? name : `${name}_${part}` }));
    // The library takes any object that answers `get`; its types name only its own classes.
    registry.registerMetric({ name, get: async () => ({ name, help, type, values: await values(), aggregator: "sum" }) } as never);
  }
  return registry;
}

export const METRICS: RouteModule = {
  name: "metrics",
  routes(context) {
    let registry: Registry | undefined;
    const text = async (): Promise<string> => {
      registry ??= registryOf(context.services.metrics);
      return registry.metrics();
    };
    return [
      {
        method: "GET",
        template: "/metrics",
        async handler(request) {
          // They name namespaces and task queues.
          const body = await runOwn(context, request, {
            service: "perdure.gateway.metrics",
            name: "Scrape",
            permission: "cluster.read",
            handler: text,
          });
          return { headers: { "content-type": Registry.PROMETHEUS_CONTENT_TYPE }, body };
        },
      },
    ];
  },
  fail: (error) => plainError(error),
};
