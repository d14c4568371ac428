import { describe, expect, it, vi } from "vitest";
import { inParallel, Semaphore } from "../../src/concurrency.ts";

describe("inParallel", () => {
  it.each([
    [0, 6],
    [1, 6],
    [6, 6],
    [7, 6],
    [40, 6],
    [5, 1],
  ])("works on each of %i items once, never more than %i at a time", async (count, limit) => {
    const items = Array.from({ length: count }, (_, i) => i);
    const done: number[] = [];
    let inFlight = 0;
    let most = 0;
    await inParallel(items, limit, async (item) => {
      most = Math.max(most, ++inFlight);
      await scheduler.wait(item % 3);
      inFlight--;
      done.push(item);
    });
    expect(done.sort((a, b) => a - b)).toEqual(items);
    expect(most).toBe(Math.min(count, limit));
  });

  it("returns the results in the order of the items", async () => {
    const square = async (item: number) => {
      await scheduler.wait(5 - item);
      return item * item;
    };
    expect(await inParallel([1, 2, 3, 4], 3, square)).toEqual([1, 4, 9, 16]);
  });

  it("ends all work before it rejects with the first error", async () => {
    const done: number[] = [];
    const work = inParallel([1, 2, 3, 4], 2, async (item) => {
      if (item % 2 === 0) throw new Error(`item ${item}`);
      await scheduler.wait(1);
      done.push(item);
    });
    await expect(work).rejects.toThrow("item 2");
    expect(done).toEqual([1, 3]);
  });
});

describe("Semaphore", () => {
  /** Requests every weight at once. `held` lists the positions that were granted; `release` releases one of them. */
  function acquireAll(capacity: number, ...weights: number[]) {
    const semaphore = new Semaphore(capacity);
    const granted = new Map<number, () => void>();
    for (const [position, weight] of weights.entries())
      semaphore.acquire(weight).then((release) => granted.set(position, release));
    return { held: () => [...granted.keys()], release: (position: number) => granted.get(position)?.() };
  }

  it("grants what fits, and the rest in order as weight is released", async () => {
    const { held, release } = acquireAll(10, 4, 6, 3, 8);
    await vi.waitFor(() => expect(held()).toEqual([0, 1]));
    release(0);
    await vi.waitFor(() => expect(held()).toEqual([0, 1, 2]));
    release(1);
    release(2);
    await vi.waitFor(() => expect(held()).toEqual([0, 1, 2, 3]));
  });

  it("lets no small request overtake a large one that waits", async () => {
    const { held, release } = acquireAll(10, 6, 8, 1);
    await vi.waitFor(() => expect(held()).toEqual([0]));
    release(0);
    await vi.waitFor(() => expect(held()).toEqual([0, 1, 2]));
  });

  it("grants requests with priority first, in their order, and releases once", async () => {
    const semaphore = new Semaphore(1);
    const entered: string[] = [];
    const enter = async (name: string, priority: boolean) => {
      const release = await semaphore.acquire(1, { priority });
      entered.push(name);
      return release;
    };
    const [first, ...others] = [
      enter("first", false),
      enter("behind", false),
      enter("prior", true),
      enter("also prior", true),
    ] as const;
    const release = await first;
    release();
    release();
    await vi.waitFor(() => expect(entered).toEqual(["first", "prior"]));
    for (const next of [others[1], others[2], others[0]]) (await next)();
    expect(entered).toEqual(["first", "prior", "also prior", "behind"]);
  });

  it("grants a weight above its capacity alone", async () => {
    const { held, release } = acquireAll(10, 5, 25, 5);
    await vi.waitFor(() => expect(held()).toEqual([0]));
    release(0);
    await vi.waitFor(() => expect(held()).toEqual([0, 1]));
    release(1);
    await vi.waitFor(() => expect(held()).toEqual([0, 1, 2]));
  });
});
