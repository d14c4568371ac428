/** Bounded concurrency: by count, and by weight. */

/** Runs `work` on every item, at most `limit` at a time. Rejects with the first error, after all have ended. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const errors: unknown[] = [];
  const worker = async () => {
    for (const item of queue) {
      try {
        await work(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (errors.length > 0) throw errors[0];
}

/** A weighted semaphore, first come, first served. Something heavier than the whole goes alone. */
export class Weights {
  readonly #capacity: number;
  #held = 0;
  readonly #line: { weight: number; go: () => void }[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves, when there is room, with the function that gives the room back. */
  async take(weight: number): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#line.push({ weight, go: resolve });
    this.#advance();
    await promise;
    return () => {
      this.#held -= weight;
      this.#advance();
    };
  }

  #advance(): void {
    for (let first = this.#line[0]; first !== undefined; first = this.#line[0]) {
      if (this.#held > 0 && this.#held + first.weight > this.#capacity) return;
      this.#line.shift();
      this.#held += first.weight;
      first.go();
    }
  }
}
