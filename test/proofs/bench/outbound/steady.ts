/** From `POST /events` to the receiver, at a steady pace. */
import { type Gateway, startGateway } from "../gateway.ts";
import { type Modules, withoutPrinting } from "../runtime.ts";
import { quantile } from "../statistics.ts";
import { ownerOf, register, tell } from "./endpoints.ts";
import type { Receiver } from "./receiver.ts";

const CUSTOMERS = 20;
export const EVENTS_PER_SECOND = 50;
const WARM_UP_MS = 2_000;
const LAST_LIMIT_MS = 60_000;

/** Milliseconds from the sending of the POST to the receipt. */
export interface Waits {
  events: number;
  p50Ms: number;
  p99Ms: number;
  worstMs: number;
}

export async function measureSteady(
  receiver: Receiver,
  { gateway: modules, standIn }: { gateway: Modules; standIn: Modules },
  milliseconds: number,
): Promise<Waits> {
  const gateway = await startGateway("steady", withoutPrinting(modules), { standIn });
  try {
    await registerCustomers(gateway, receiver, CUSTOMERS);
    const pace = { customers: CUSTOMERS, perSecond: EVENTS_PER_SECOND };
    await trickle(gateway, receiver, { ...pace, milliseconds: WARM_UP_MS });
    return waitsOf(await trickle(gateway, receiver, { ...pace, milliseconds }));
  } finally {
    await gateway.stop();
  }
}

/** Owners with one endpoint each. */
export async function registerCustomers(gateway: Gateway, receiver: Receiver, count: number): Promise<void> {
  const urls = Array.from({ length: count }, (_, i) => `${receiver.url}/customer/${i}`);
  await register(gateway, ownerOf, urls);
}

/**
 * Sends evenly spaced events for the customers in turn. Returns the latency of each. The receiver must get no other delivery
 * meanwhile, except on paths that hang.
 */
export async function trickle(
  gateway: Gateway,
  receiver: Receiver,
  { customers, perSecond, milliseconds }: { customers: number; perSecond: number; milliseconds: number },
): Promise<number[]> {
  const events = Math.round((perSecond * milliseconds) / 1_000);
  const startedAt = performance.now();
  const sentAt = new Map<string, number>();
  const answers: Promise<void>[] = [];
  for (let number = 0; number < events; number++) {
    const wait = startedAt + (number * 1_000) / perSecond - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const at = performance.timeOrigin + performance.now();
    answers.push(tell(gateway, ownerOf(number % customers)).then((id) => void sentAt.set(id, at)));
  }
  await Promise.all(answers);
  const receipts = await receiver.take(events, LAST_LIMIT_MS);
  return receipts.map(({ eventId, at }) => at - (sentAt.get(eventId) ?? Number.NaN));
}

export function waitsOf(waits: readonly number[]): Waits {
  return {
    events: waits.length,
    p50Ms: quantile(waits, 0.5),
    p99Ms: quantile(waits, 0.99),
    worstMs: Math.max(...waits),
  };
}
