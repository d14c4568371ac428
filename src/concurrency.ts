/** Bounded concurrency: a parallel map with a limit, and a weighted semaphore. */

/** Maps `items` with at most `limit` calls of `work` at a time. Rejects with the first error, after all calls have ended. */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const queue = items.entries();
  const results: R[] = [];
  const errors: unknown[] = [];
  const worker = async () => {
    for (const [position, item] of queue) {
      try {
        results[position] = await work(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (errors.length > 0) throw errors[0];
  return results;
}

interface Waiter {
  weight: number;
  acquired: () => void;
}

/**
 * A weighted semaphore, first come, first served; waiters with priority go before all others. A weight above the capacity
 * is granted when nothing else is held.
 */
export class Semaphore {
  readonly #capacity: number;
  #held = 0;
  readonly #priority: Waiter[] = [];
  readonly #waiting: Waiter[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves once `weight` is available, with the function that releases it. Calling that function again has no effect. */
  async acquire(weight: number, { priority = false } = {}): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    (priority ? this.#priority : this.#waiting).push({ weight, acquired: resolve });
    this.#grant();
    await promise;
    let held = weight;
    return () => {
      this.#held -= held;
      held = 0;
      this.#grant();
    };
  }

  #grant(): void {
    for (;;) {
      const waiters = this.#priority.length > 0 ? this.#priority : this.#waiting;
      const [first] = waiters;
      if (first === undefined || (this.#held > 0 && this.#held + first.weight > this.#capacity)) return;
      waiters.shift();
      this.#held += first.weight;
      first.acquired();
    }
  }
}
