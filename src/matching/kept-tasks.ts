/**
 * Tasks that no row stands for: speculative workflow tasks that found no poller. First come, first served, as the stored ones of the
 * queue are. What is lost with the process, or not taken in time, history makes up for.
 */
import type { DispatchTask } from "../core/transition.js";

export class KeptTasks {
  private readonly tasks = new Set<DispatchTask>();

  get size(): number {
    return this.tasks.size;
  }

  add(task: DispatchTask): void {
    this.tasks.add(task);
  }

  /** The next one, if it comes before the stored task that is next. */
  takeBefore(stored: DispatchTask | undefined, now: number): DispatchTask | undefined {
    for (const task of this.tasks) {
      if (task.expireTime <= now) {
        this.tasks.delete(task);
        continue;
      }
      const isFirst =
        stored === undefined || task.priority < stored.priority || (task.priority === stored.priority && task.createTime <= stored.createTime);
      if (!isFirst) return undefined;
      this.tasks.delete(task);
      return task;
    }
    return undefined;
  }

  /** All of them, to be offered elsewhere. */
  takeAll(): DispatchTask[] {
    const tasks = [...this.tasks];
    this.tasks.clear();
    return tasks;
  }

  /** Its worker has gone: they wait for another one's. */
  moveTo(other: KeptTasks): number {
    const count = this.tasks.size;
    for (const task of this.tasks) other.add(task);
    this.tasks.clear();
    return count;
  }
}
