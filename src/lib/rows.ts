/**
 * A table of records by id under a draft: reads see the draft, writes stay in it until `accept`, and dropping the draft forgets
 * them. Records are values: they are replaced, never changed in place. Costs follow the number of changed records.
 */
const NONE: ReadonlyMap<unknown, unknown> = new Map();

export class Rows<V, K = number> {
  /** Undefined while there are none: a state has many tables, and nearly all of them stay empty. */
  private rows: Map<K, V> | undefined;

  get base(): ReadonlyMap<K, V> {
    return this.rows ?? (NONE as ReadonlyMap<K, V>);
  }

  put(id: K, value: V): void {
    this.rows ??= new Map();
    this.rows.set(id, value);
  }

  remove(id: K): void {
    this.rows?.delete(id);
    if (this.rows?.size === 0) this.rows = undefined;
  }

  draft(): DraftRows<V, K> {
    return new DraftRows(this);
  }
}

export class DraftRows<V, K = number> {
  private changed: Map<K, V | undefined> | undefined;
  private delta = 0;

  constructor(private readonly rows: Rows<V, K>) {}

  private get base(): ReadonlyMap<K, V> {
    return this.rows.base;
  }

  get size(): number {
    return this.base.size + this.delta;
  }

  get(id: K): V | undefined {
    if (this.changed?.has(id)) return this.changed.get(id);
    return this.base.get(id);
  }

  has(id: K): boolean {
    return this.get(id) !== undefined;
  }

  set(id: K, value: V): void {
    if (!this.has(id)) this.delta++;
    this.changed ??= new Map();
    this.changed.set(id, value);
  }

  delete(id: K): void {
    if (!this.has(id)) return;
    this.delta--;
    this.changed ??= new Map();
    this.changed.set(id, undefined);
  }

  /** Unchanged records in their order, then the changed ones: ascending as long as ids are given out in ascending order. */
  *values(): Generator<V> {
    for (const [id, v] of this.base) {
      if (!this.changed?.has(id)) yield v;
      else {
        const c = this.changed.get(id);
        if (c !== undefined) yield c;
      }
    }
    if (this.changed !== undefined) for (const [id, v] of this.changed) if (v !== undefined && !this.base.has(id)) yield v;
  }

  /** Looks at each changed row: `old` is the base's, undefined when it has none of that id; `value` is undefined when it is deleted. */
  eachChange(look: (id: K, value: V | undefined, old: V | undefined) => void): void {
    if (this.changed === undefined) return;
    for (const [id, value] of this.changed) {
      const old = this.base.get(id);
      if (old !== undefined || value !== undefined) look(id, value, old);
    }
  }

  get isDirty(): boolean {
    return this.changed !== undefined;
  }

  /** Makes the draft's content the base's. */
  accept(): void {
    if (this.changed === undefined) return;
    for (const [id, value] of this.changed) {
      if (value === undefined) this.rows.remove(id);
      else this.rows.put(id, value);
    }
    this.changed = undefined;
    this.delta = 0;
  }
}
