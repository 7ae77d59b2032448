/**
 * A table of records by id under a draft: reads see the draft, writes stay in it until `accept`, and dropping the draft forgets
 * them. Records are values: they are replaced, never changed in place. Costs follow the number of changed records.
 */
export class Rows<V> {
  constructor(readonly base: Map<number, V> = new Map()) {}

  draft(): DraftRows<V> {
    return new DraftRows(this.base);
  }
}

export class DraftRows<V> {
  private changed: Map<number, V | undefined> | undefined;
  private delta = 0;

  constructor(private readonly base: Map<number, V>) {}

  get size(): number {
    return this.base.size + this.delta;
  }

  get(id: number): V | undefined {
    if (this.changed?.has(id)) return this.changed.get(id);
    return this.base.get(id);
  }

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  set(id: number, value: V): void {
    if (!this.has(id)) this.delta++;
    this.changed ??= new Map();
    this.changed.set(id, value);
  }

  delete(id: number): void {
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

  /** Changed rows: `isNew` when the base has none of that id; value undefined when deleted. */
  *changes(): Generator<{ id: number; value: V | undefined; isNew: boolean }> {
    if (this.changed === undefined) return;
    for (const [id, value] of this.changed) {
      const isNew = !this.base.has(id);
      if (isNew && value === undefined) continue;
      yield { id, value, isNew };
    }
  }

  get isDirty(): boolean {
    return this.changed !== undefined;
  }

  /** Makes the draft's content the base's. */
  accept(): void {
    if (this.changed === undefined) return;
    for (const [id, value] of this.changed) {
      if (value === undefined) this.base.delete(id);
      else this.base.set(id, value);
    }
    this.changed = undefined;
    this.delta = 0;
  }
}
