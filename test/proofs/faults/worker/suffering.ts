/**
 * The current orders of this isolate, the seeded chance that decides on faults, and the count of faults. Replaces the clock, the
 * timers and `Math.random` on import.
 */
import { env } from "cloudflare:workers";
import { seeded } from "../../../support/random.ts";
import { shownAt } from "../clock.ts";
import type { Orders, Rates } from "../orders.ts";

const { FAULT_ORDERS } = env as unknown as { FAULT_ORDERS: string };
const realNow = Date.now.bind(Date);
const realTimeout = AbortSignal.timeout.bind(AbortSignal);
const realSetTimeout = setTimeout.bind(globalThis);
const realWait = scheduler.wait.bind(scheduler);

export const suffering: { orders: Orders } = { orders: JSON.parse(FAULT_ORDERS) };
export const random = seeded(suffering.orders.seed);

/** How often each fault happened in this isolate. */
export const counts = new Map<string, number>();

Math.random = seeded(suffering.orders.seed + 1);
Date.now = () => shownAt(suffering.orders.clock, realNow());
AbortSignal.timeout = (ms) => realTimeout(ms / suffering.orders.clock.speed);
globalThis.setTimeout = <Args extends unknown[]>(
  callback: (...args: Args) => void,
  ms?: number,
  ...args: Args
) => realSetTimeout(callback, (ms ?? 0) / suffering.orders.clock.speed, ...args);
scheduler.wait = (ms, options) => realWait(ms / suffering.orders.clock.speed, options);

/** Waits in real time. */
export function pause(ms: number): Promise<void> {
  return realWait(ms);
}

/** Decides whether the fault happens this time. */
export function strikes(fault: keyof Rates): boolean {
  if (random() >= suffering.orders.rates[fault]) return false;
  count(fault);
  return true;
}

export function count(fault: string): void {
  counts.set(fault, (counts.get(fault) ?? 0) + 1);
}
