/** The next note to a gate or request log, while an isolate gathers it: counts, and details of some requests. Plain data, bounded. */
import { minuteOf } from "../usage/periods.ts";
import { SAMPLES_AT_EACH_END } from "./evidence-store.ts";
import type { Note, RequestEntry } from "./request-entry.ts";

/** Pairs of minute and code: enough for hours of an outage. Above this, a request counts in the newest minute that its code has. */
const MAX_COUNTS = 300;

export class PendingNote {
  #counts = new Map<string, { minute: number; code: string; n: number }>();
  #first: RequestEntry[] = [];
  #newest: RequestEntry[] = [];

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** A refused or repeated request. */
  add(entry: RequestEntry): void {
    this.#count(minuteOf(entry.at), entry.code ?? "DUPLICATE", 1);
    this.#sample(entry);
  }

  merge(other: PendingNote): void {
    for (const { minute, code, n } of other.#counts.values()) this.#count(minute, code, n);
    for (const entry of [...other.#first, ...other.#newest]) this.#sample(entry);
  }

  /** Everything, as a note. Empties this. */
  take(id: string): Note {
    const note: Note = {
      id,
      counts: [...this.#counts.values()],
      samples: [...this.#first, ...this.#newest],
    };
    this.#counts = new Map();
    this.#first = [];
    this.#newest = [];
    return note;
  }

  #count(minute: number, code: string, n: number): void {
    const key = `${minute} ${code}`;
    const known =
      this.#counts.get(key) ?? (this.#counts.size < MAX_COUNTS ? undefined : this.#newestOf(code));
    if (known !== undefined) known.n += n;
    else this.#counts.set(key, { minute, code, n });
  }

  #sample(entry: RequestEntry): void {
    if (this.#first.length < SAMPLES_AT_EACH_END) this.#first.push(entry);
    else {
      this.#newest.push(entry);
      if (this.#newest.length > SAMPLES_AT_EACH_END) this.#newest.shift();
    }
  }

  #newestOf(code: string) {
    return [...this.#counts.values()].findLast((each) => each.code === code);
  }
}
