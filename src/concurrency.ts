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

interface Waiting {
  weight: number;
  go: () => void;
}

/** A weighted semaphore, first come, first served, in two lines. Something heavier than the whole goes alone. */
export class Weights {
  readonly #capacity: number;
  #held = 0;
  readonly #ahead: Waiting[] = [];
  readonly #line: Waiting[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves, when there is room, with the function that gives the room back, once. Those `ahead` go before all others. */
  async take(weight: number, { ahead = false } = {}): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    (ahead ? this.#ahead : this.#line).push({ weight, go: resolve });
    this.#advance();
    await promise;
    let held = weight;
    return () => {
      this.#held -= held;
      held = 0;
      this.#advance();
    };
  }

  #advance(): void {
    for (;;) {
      const line = this.#ahead.length > 0 ? this.#ahead : this.#line;
      const [first] = line;
      if (first === undefined || (this.#held > 0 && this.#held + first.weight > this.#capacity)) return;
      line.shift();
      this.#held += first.weight;
      first.go();
    }
  }
}
