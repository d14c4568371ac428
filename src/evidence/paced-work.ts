/**
 * Work that the requests of an isolate have in common: one request at a time does it, after its response, and at most once per pause.
 * Only times are kept between requests, so a request that the platform cuts off blocks the later ones for a while, not for good.
 */

/** One request goes on for at most this long while others add work. */
const GOES_ON_MS = 15_000;
/** Longer than one round of any work: after this, another request takes over. */
const TAKEN_OVER_AFTER_MS = 15_000;
/** After so many failures, the work waits for another request. */
const MAX_FAILURES = 3;

/** `failed`: the same work is to be repeated. */
export type Progress = "done" | "more" | "failed";

export class PacedWork {
  #doneAt = 0;
  /** When a request begins, or began, the next round; 0 if none does. */
  #dueAt = 0;

  /** Undefined if another request does the work. `work` must not reject. */
  soon(pauseMs: number, work: () => Promise<Progress>): Promise<void> | undefined {
    const now = Date.now();
    // A clock that was set back ends the other request's claim, too.
    if (this.#dueAt !== 0 && Math.abs(now - this.#dueAt) < TAKEN_OVER_AFTER_MS) return undefined;
    const since = now - this.#doneAt;
    const waitMs = since < 0 ? 0 : Math.max(0, pauseMs - since);
    this.#dueAt = now + waitMs;
    return this.#run(waitMs, pauseMs, work);
  }

  async #run(waitMs: number, pauseMs: number, work: () => Promise<Progress>): Promise<void> {
    // Even for no time: the response goes first.
    await scheduler.wait(waitMs);
    const until = Date.now() + GOES_ON_MS;
    for (let failures = 0; ; ) {
      this.#doneAt = Date.now();
      this.#dueAt = this.#doneAt;
      const progress = await work();
      if (progress === "failed") failures++;
      if (progress === "done" || failures === MAX_FAILURES || Date.now() >= until) break;
      await scheduler.wait(pauseMs);
    }
    this.#dueAt = 0;
  }
}
