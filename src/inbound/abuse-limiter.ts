/**
 * Slows down who keeps sending what is refused before a rate limit can count it: unknown connections and wrong signatures.
 * The platform's per-location limiter is asked after such a refusal, never before an honest request; who is over it is
 * answered from the isolate's memory for a while. An address is held back only towards the connection it tried, and only
 * where the connection is not known here if it tried unknown ones.
 */
import { logError } from "../log.ts";

const HELD_BACK_MS = 10_000;
const MAX_HELD_BACK = 10_000;

export class Refusals {
  readonly #heldBack = new Map<string, number>();

  /** Seconds to wait, or null when the caller may go on. */
  heldBack(address: string, connectionId: string, now: number): number | null {
    const until = this.#heldBack.get(`${address} ${connectionId}`) ?? 0;
    return until > now ? Math.ceil((until - now) / 1_000) : null;
  }

  /** Counts a refusal. Never rejects. */
  async count(address: string, connectionId: string, limiter: RateLimit): Promise<void> {
    const key = `${address} ${connectionId}`;
    try {
      const { success } = await limiter.limit({ key });
      if (success) return;
    } catch (error) {
      logError("the refusal limiter gave no answer", {}, error);
      return;
    }
    this.#heldBack.delete(key);
    const [oldest] = this.#heldBack.keys();
    if (this.#heldBack.size >= MAX_HELD_BACK && oldest !== undefined) this.#heldBack.delete(oldest);
    this.#heldBack.set(key, Date.now() + HELD_BACK_MS);
  }
}
