/**
 * Limits the requests of a client per minute. Requests are counted per isolate and client, after authentication, so the
 * limit is approximate: it protects the database from a malfunctioning client and is not a plan's limit.
 */

import { setBounded } from "../bounded-map.ts";
import { RateWindows } from "../gate/rate-window.ts";
import type { Client } from "../http/context.ts";
import type { RateStatus } from "../model.ts";

const PER_HOUR = Number.POSITIVE_INFINITY;
const BOUND = { perMinute: 600, perHour: PER_HOUR };
/** For the portal itself, Audit1's services, and people who sign in through Access. */
const UNBOUND = { perMinute: 60_000, perHour: PER_HOUR };
const MAX_CLIENTS = 1_000;

export class ClientLimits {
  readonly #windows = new Map<string, RateWindows>();

  /** Counts a request that is within the limit and returns null. Otherwise returns the state of the exceeded limit. */
  exceeded({ actor, owner }: Pick<Client, "actor" | "owner">, now: number): RateStatus | null {
    const plan = owner === undefined ? UNBOUND : BOUND;
    // People of two owners may have the same name.
    const name = owner === undefined ? actor : `${owner.type}:${owner.id} ${actor}`;
    const windows = this.#windows.get(name) ?? new RateWindows();
    setBounded(this.#windows, name, windows, MAX_CLIENTS);
    if (!windows.allows(plan, now)) return windows.standing(plan, now);
    windows.add(now);
    return null;
  }

  clear(): void {
    this.#windows.clear();
  }
}

/** The limits of this isolate. */
export const clientLimits = new ClientLimits();
