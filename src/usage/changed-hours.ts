/**
 * The hours of a gate or request log whose counts have changed since they were handed over. An hour is marked by the first change
 * and until it is handed over, so that further changes write nothing. The mark alone decides: a restart, a lost answer or a clock
 * that jumps can make an hour be handed over once more, which changes nothing, but never be forgotten.
 */
import * as z from "zod";
import { hourOf } from "./periods.ts";

/** A change is handed over after this, and at most as much again later, so that gates do not all come at once. */
const AFTER_MS = 300_000;
/** The longest that a change waits for its hand-over while the database answers. */
export const HANDED_OVER_WITHIN_MS = 2 * AFTER_MS;

/** Where the mark is kept: one text, empty at first. */
export interface MarkPlace {
  get(): string;
  set(mark: string): void;
}

const storedMark = z.object({ hours: z.array(z.number()), dueAt: z.number(), version: z.number() });

export class ChangedHours {
  readonly #place: MarkPlace;
  readonly #random: () => number;
  readonly #hours: Set<number>;
  /** Hours that are being handed over. Those that change meanwhile are in {@link #hours} as well. */
  #taken: readonly number[] = [];
  #dueAt: number;
  #version: number;

  constructor(place: MarkPlace, random: () => number) {
    this.#place = place;
    this.#random = random;
    const text = place.get();
    const { hours, dueAt, version } =
      text === "" ? { hours: [], dueAt: 0, version: 0 } : storedMark.parse(JSON.parse(text));
    this.#hours = new Set(hours);
    this.#dueAt = dueAt;
    this.#version = version;
  }

  /** Marks the hour of `time`, which may be any time. */
  mark(time: number, now: number): void {
    const hour = hourOf(time);
    if (this.#hours.has(hour)) return;
    if (this.#hours.size === 0) this.#dueAt = this.#after(now);
    this.#hours.add(hour);
    this.#write();
  }

  /** When they are to be handed over; null if there are none. */
  dueAt(now: number): number | null {
    if (this.#hours.size === 0) return null;
    // A due time far ahead is that of a clock that was set back since. The wait begins again, and ends.
    this.#dueAt = Math.min(this.#dueAt, now + HANDED_OVER_WITHIN_MS);
    return this.#dueAt;
  }

  /** The oldest hours, to be handed over under the returned version. Then call {@link done} or {@link failed}. */
  take(limit: number, now: number): { hours: readonly number[]; version: number } {
    this.#taken = [...this.#hours].sort((a, b) => a - b).slice(0, limit);
    for (const hour of this.#taken) this.#hours.delete(hour);
    this.#version = Math.max(now, this.#version + 1);
    return { hours: this.#taken, version: this.#version };
  }

  /** The taken hours were handed over. Hours that changed meanwhile stay marked; if some were not taken, they are due at once. */
  done(): void {
    this.#taken = [];
    this.#write();
  }

  /** The taken hours were not handed over. Nothing is written: they are still in the stored mark. */
  failed(now: number): void {
    for (const hour of this.#taken) this.#hours.add(hour);
    this.#taken = [];
    this.#dueAt = this.#after(now);
  }

  /** The database already has this version, from before a restart or from a clock that was set back since. */
  learnVersion(version: number): void {
    this.#version = Math.max(this.#version, version);
  }

  #after(now: number): number {
    return now + AFTER_MS + Math.floor(this.#random() * AFTER_MS);
  }

  #write(): void {
    const hours = [...new Set([...this.#taken, ...this.#hours])];
    this.#place.set(JSON.stringify({ hours, dueAt: this.#dueAt, version: this.#version }));
  }
}
