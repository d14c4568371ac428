import { describe, expect, it, vi } from "vitest";
import { inParallel, Weights } from "../../src/concurrency.ts";

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

describe("Weights", () => {
  /** Takes every weight at once; tells which were let in, and how to let one go. */
  function line(capacity: number, ...taken: number[]) {
    const weights = new Weights(capacity);
    const inside = new Map<number, () => void>();
    for (const [position, weight] of taken.entries())
      weights.take(weight).then((release) => inside.set(position, release));
    return { inside: () => [...inside.keys()], release: (position: number) => inside.get(position)?.() };
  }

  it("lets in what fits, and the others in their order as room comes back", async () => {
    const { inside, release } = line(10, 4, 6, 3, 8);
    await vi.waitFor(() => expect(inside()).toEqual([0, 1]));
    release(0);
    await vi.waitFor(() => expect(inside()).toEqual([0, 1, 2]));
    release(1);
    release(2);
    await vi.waitFor(() => expect(inside()).toEqual([0, 1, 2, 3]));
  });

  it("lets nothing small overtake something large that waits", async () => {
    const { inside, release } = line(10, 6, 8, 1);
    await vi.waitFor(() => expect(inside()).toEqual([0]));
    release(0);
    await vi.waitFor(() => expect(inside()).toEqual([0, 1, 2]));
  });

  it("lets those ahead go before all others, in their order, and takes room back once", async () => {
    const weights = new Weights(1);
    const inside: string[] = [];
    const enter = async (name: string, ahead: boolean) => {
      const release = await weights.take(1, { ahead });
      inside.push(name);
      return release;
    };
    const [first, ...others] = [
      enter("first", false),
      enter("behind", false),
      enter("ahead", true),
      enter("also ahead", true),
    ] as const;
    const release = await first;
    release();
    release();
    await vi.waitFor(() => expect(inside).toEqual(["first", "ahead"]));
    for (const next of [others[1], others[2], others[0]]) (await next)();
    expect(inside).toEqual(["first", "ahead", "also ahead", "behind"]);
  });

  it("lets what is heavier than the whole go alone", async () => {
    const { inside, release } = line(10, 5, 25, 5);
    await vi.waitFor(() => expect(inside()).toEqual([0]));
    release(0);
    await vi.waitFor(() => expect(inside()).toEqual([0, 1]));
    release(1);
    await vi.waitFor(() => expect(inside()).toEqual([0, 1, 2]));
  });
});
