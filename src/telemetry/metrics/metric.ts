/** A metric as it is when somebody asks: nothing is kept in a metrics library between two scrapes. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a histogram. */
  readonly part?: "bucket" | "sum" | "count";
}

export interface Metric {
  /** The official server's name where it has the same metric. */
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  samples(): Iterable<Sample> | Promise<Iterable<Sample>>;
}
