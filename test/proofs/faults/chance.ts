/** Seeded chance. Runs with the same seed make the same choices, as far as the machine's timing allows. */
import { seeded } from "../../support/random.ts";

export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seeded(seed);
  }

  /** In [0, 1). */
  number(): number {
    return this.#next();
  }

  /** In [low, high). */
  between(low: number, high: number): number {
    return low + this.#next() * (high - low);
  }

  happens(share: number): boolean {
    return this.#next() < share;
  }

  /** Picks one of the names, by weight. */
  pick<T extends string>(weights: Record<T, number>): T {
    const names = Object.keys(weights) as T[];
    let at = this.#next() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) {
      at -= weights[name];
      if (at < 0) return name;
    }
    return names[names.length - 1] as T;
  }

  /** A generator for a part that draws independently. */
  fork(): Chance {
    return new Chance(Math.floor(this.#next() * 2 ** 31));
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
