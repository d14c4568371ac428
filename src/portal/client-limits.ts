/**
 * How many requests a client may make per minute. Counted per isolate and client, after authentication, so approximate: it
 * protects the database from a client that has gone wrong, and takes no part in what is billed or promised.
 */

import { setBounded } from "../bounded-map.ts";
import { RateWindows } from "../gate/rate-window.ts";
import type { Client } from "../http/context.ts";
import type { RateStatus } from "../model.ts";

const PER_HOUR = Number.POSITIVE_INFINITY;
const BOUND = { perMinute: 600, perHour: PER_HOUR };
/** The portal itself, Audit1's services, and people who come through Access. */
const UNBOUND = { perMinute: 60_000, perHour: PER_HOUR };
const MAX_CLIENTS = 1_000;

export class ClientLimits {
  readonly #windows = new Map<string, RateWindows>();

  /** Counts a request that is within the limit. Where it stands when it is over; null when it may go on. */
  exceeded({ actor, owner }: Pick<Client, "actor" | "owner">, now: number): RateStatus | null {
    const plan = owner === undefined ? UNBOUND : BOUND;
    const windows = this.#windows.get(actor) ?? new RateWindows();
    setBounded(this.#windows, actor, windows, MAX_CLIENTS);
    if (!windows.allows(plan, now)) return windows.standing(plan, now);
    windows.add(now);
    return null;
  }

  /** Forgets everything. */
  clear(): void {
    this.#windows.clear();
  }
}

/** The isolate's own. */
export const clientLimits = new ClientLimits();
