/**
 * Counts and times of requests, by method and namespace: `service_requests`, `service_error_with_type` and `service_latency` as the
 * official server names them. Counting costs two look-ups and an addition; the metrics are made when somebody asks.
 */
import type { Method } from "../../api/call.js";
import { Code } from "../../api/service-error.js";
import type { Metric, Sample } from "./metric.js";

/** Upper bounds in microseconds. */
const BUCKETS = [1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000, 60_000_000];
const MICROS_PER_SECOND = 1_000_000;
/** The official server's word for what it does not know. */
const UNKNOWN = "_unknown_";

interface Tally {
  readonly operation: string;
  readonly namespace: string;
  requests: number;
  micros: number;
  /** By bucket, not summed; the last one is all that took longer. */
  readonly took: number[];
  readonly errors: Map<Code, number>;
}

export class RequestTally {
  private readonly tallies = new Map<Method, Map<string, Tally>>();

  /** Names that are no namespace's are counted together: callers cannot make the tally grow. */
  constructor(private readonly isNamespace: (name: string) => boolean) {}

  /** `code`: 0 for success. `micros`: how long the answer took, waiting included. */
  record(method: Method, request: unknown, micros: number, code: Code | 0): void {
    const t = this.of(method, (request as { readonly namespace?: unknown } | undefined)?.namespace);
    t.requests++;
    t.micros += micros;
    let bucket = 0;
    while (bucket < BUCKETS.length && micros > (BUCKETS[bucket] as number)) bucket++;
    t.took[bucket] = (t.took[bucket] as number) + 1;
    if (code !== 0) t.errors.set(code, (t.errors.get(code) ?? 0) + 1);
  }

  private of(method: Method, of: unknown): Tally {
    let byNamespace = this.tallies.get(method);
    if (byNamespace === undefined) this.tallies.set(method, (byNamespace = new Map()));
    const name = typeof of === "string" ? of : "";
    const known = byNamespace.get(name);
    if (known !== undefined) return known;
    const namespace = name !== "" && this.isNamespace(name) ? name : UNKNOWN;
    let tally = byNamespace.get(namespace);
    if (tally === undefined) {
      tally = { operation: method.name, namespace, requests: 0, micros: 0, took: new Array(BUCKETS.length + 1).fill(0), errors: new Map() };
      byNamespace.set(namespace, tally);
    }
    return tally;
  }

  private *all(): Generator<{ tally: Tally; labels: Record<string, string> }> {
    for (const byNamespace of this.tallies.values())
      for (const tally of byNamespace.values())
        yield { tally, labels: { service_name: "frontend", operation: tally.operation, namespace: tally.namespace } };
  }

  get metrics(): readonly Metric[] {
    return [
      { name: "service_requests", help: "Requests by method and namespace.", type: "counter", samples: () => this.requests() },
      {
        name: "service_error_with_type",
        help: "Requests that were answered with an error, by its gRPC code.",
        type: "counter",
        samples: () => this.errors(),
      },
      { name: "service_latency", help: "Seconds from a request to its answer; long polls wait.", type: "histogram", samples: () => this.latency() },
    ];
  }

  private *requests(): Generator<Sample> {
    for (const { tally, labels } of this.all()) yield { labels, value: tally.requests };
  }

  private *errors(): Generator<Sample> {
    for (const { tally, labels } of this.all())
      for (const [code, value] of tally.errors) yield { labels: { ...labels, error_type: Code[code] ?? String(code) }, value };
  }

  private *latency(): Generator<Sample> {
    for (const { tally, labels } of this.all()) {
      let sum = 0;
      for (const [i, bound] of BUCKETS.entries()) {
        sum += tally.took[i] as number;
        yield { labels: { ...labels, le: bound / MICROS_PER_SECOND }, value: sum, part: "bucket" };
      }
      yield { labels: { ...labels, le: "+Inf" }, value: tally.requests, part: "bucket" };
      yield { labels, value: tally.micros / MICROS_PER_SECOND, part: "sum" };
      yield { labels, value: tally.requests, part: "count" };
    }
  }
}
