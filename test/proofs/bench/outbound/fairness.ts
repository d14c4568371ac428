/**
 * How much an endpoint that hangs on every request, with thousands of deliveries pending, delays other endpoints: the same steady
 * events to others, without it and beside it, in turns. Each turn beside it begins without knowledge of its slowness.
 */
import { startGateway } from "../gateway.ts";
import { type Modules, withoutPrinting } from "../runtime.ts";
import { leaseAll, ownerOf, publishMany, register, releaseAll } from "./endpoints.ts";
import type { Receiver } from "./receiver.ts";
import { registerCustomers, trickle, type Waits, waitsOf } from "./steady.ts";

export const WAITING = 5_000;
const NEIGHBOURS = 20;
export const NEIGHBOURS_PER_SECOND = 20;
const HANGING = ownerOf("hanging");

/** Of all turns together. */
export interface Fairness {
  alone: Waits;
  beside: Waits;
}

export async function measureFairness(
  receiver: Receiver,
  { gateway: modules, standIn }: { gateway: Modules; standIn: Modules },
  { turns, turnMs }: { turns: number; turnMs: number },
): Promise<Fairness> {
  const gateway = await startGateway("fairness", withoutPrinting(modules), { standIn });
  try {
    await registerCustomers(gateway, receiver, NEIGHBOURS);
    const hanging = await register(gateway, () => HANGING, [`${receiver.url}/hang`]);
    await leaseAll(gateway, hanging);
    await publishMany(gateway, HANGING, WAITING);
    const neighbours = () =>
      trickle(gateway, receiver, {
        customers: NEIGHBOURS,
        perSecond: NEIGHBOURS_PER_SECOND,
        milliseconds: turnMs,
      });
    const alone: number[] = [];
    const beside: number[] = [];
    for (let turn = 0; turn < turns; turn++) {
      alone.push(...(await neighbours()));
      await releaseAll(gateway, hanging);
      beside.push(...(await neighbours()));
      await leaseAll(gateway, hanging);
    }
    return { alone: waitsOf(alone), beside: waitsOf(beside) };
  } finally {
    await gateway.stop();
  }
}
