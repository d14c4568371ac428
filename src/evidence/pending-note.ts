/** What an isolate has gathered for one gate or request log and not yet told it: counts, and details of some requests. Plain data, bounded. */
import { MINUTE_MS, SAMPLES_AT_EACH_END } from "./evidence-store.ts";
import type { Note, RequestEntry } from "./request-entry.ts";

/** Pairs of minute and code: hours of an outage. What comes on top is added to the newest minute of its code. */
const MAX_COUNTS = 300;

export class PendingNote {
  #counts = new Map<string, { minute: number; code: string; n: number }>();
  #first: RequestEntry[] = [];
  #newest: RequestEntry[] = [];

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** A refused or repeated request. `entry` is null for one that only counts. */
  add(at: number, code: string, entry: RequestEntry | null): void {
    this.count(Math.floor(at / MINUTE_MS), code, 1);
    if (entry === null) return;
    if (this.#first.length < SAMPLES_AT_EACH_END) this.#first.push(entry);
    else {
      this.#newest.push(entry);
      if (this.#newest.length > SAMPLES_AT_EACH_END) this.#newest.shift();
    }
  }

  count(minute: number, code: string, n: number): void {
    const key = `${minute} ${code}`;
    const known =
      this.#counts.get(key) ?? (this.#counts.size < MAX_COUNTS ? undefined : this.#newestOf(code));
    if (known !== undefined) known.n += n;
    else this.#counts.set(key, { minute, code, n });
  }

  /** Adds what `other` has. */
  merge(other: PendingNote): void {
    for (const { minute, code, n } of other.#counts.values()) this.count(minute, code, n);
    for (const entry of [...other.#first, ...other.#newest]) {
      if (this.#first.length < SAMPLES_AT_EACH_END) this.#first.push(entry);
      else this.#newest.push(entry);
    }
    this.#newest = this.#newest.slice(-SAMPLES_AT_EACH_END);
  }

  /** Everything, as a note. Empties this. */
  take(id: string): Note {
    const note: Note = {
      id,
      counts: [...this.#counts.values()],
      samples: [...this.#first, ...this.#newest],
    };
    this.#counts = new Map();
    this.forgetSamples();
    return note;
  }

  forgetSamples(): void {
    this.#first = [];
    this.#newest = [];
  }

  #newestOf(code: string) {
    return [...this.#counts.values()].findLast((each) => each.code === code);
  }
}
