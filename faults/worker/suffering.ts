/** What this isolate suffers now, the chance that decides it, and the count of what was done. Sets the clock
 * and the dice on import. */
import { env } from "cloudflare:workers";
import { seeded } from "../../test/support/random.ts";
import { shownAt } from "../clock.ts";
import type { Orders, Rates } from "../orders.ts";

const { FAULT_ORDERS } = env as unknown as { FAULT_ORDERS: string };
const realNow = Date.now.bind(Date);
const realTimeout = AbortSignal.timeout.bind(AbortSignal);

export const suffering: { orders: Orders } = { orders: JSON.parse(FAULT_ORDERS) };
export const random = seeded(suffering.orders.seed);

/** How often each fault happened in this isolate. */
export const counts = new Map<string, number>();

Math.random = seeded(suffering.orders.seed + 1);
Date.now = () => shownAt(suffering.orders.clock, realNow());
AbortSignal.timeout = (ms) => realTimeout(ms / suffering.orders.clock.speed);

/** Whether the fault happens this time. */
export function strikes(fault: keyof Rates): boolean {
  if (random() >= suffering.orders.rates[fault]) return false;
  count(fault);
  return true;
}

export function count(fault: string): void {
  counts.set(fault, (counts.get(fault) ?? 0) + 1);
}
