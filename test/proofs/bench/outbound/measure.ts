/** Runs all outbound measurements: from events to endpoints on loopback, which run in their own process. */
import type { Modules } from "../runtime.ts";
import { type Deliveries, measureDeliveries } from "./deliveries.ts";
import { type Fairness, measureFairness } from "./fairness.ts";
import { type FanOut, measureFanOut } from "./fan-out.ts";
import { startReceiver } from "./receiver.ts";
import { measureSteady, type Waits } from "./steady.ts";
import { measureSweeps, type Sweep } from "./sweep.ts";

export interface OutboundPace {
  deliveries: { turns: number; eventsPerTurn: number };
  fanOutTurns: number;
  steadyMs: number;
  fairness: { turns: number; turnMs: number };
}

export interface Outbound {
  deliveries: Deliveries;
  sweeps: Sweep[];
  fanOut: FanOut;
  steady: Waits;
  fairness: Fairness;
}

export async function measureOutbound(
  modules: { gateway: Modules; standIn: Modules; outboundFloor: Modules; wakeUps: Modules },
  pace: OutboundPace,
  progress: (what: string) => void,
): Promise<Outbound> {
  const receiver = await startReceiver();
  try {
    progress("deliveries");
    const deliveries = await measureDeliveries(receiver, modules, pace.deliveries);
    progress("fan-out");
    const fanOut = await measureFanOut(receiver, modules, pace.fanOutTurns);
    progress("events at a steady pace");
    const steady = await measureSteady(receiver, modules, pace.steadyMs);
    progress("fairness");
    const fairness = await measureFairness(receiver, modules, pace.fairness);
    progress("sweep");
    const sweeps = await measureSweeps(modules);
    return { deliveries, sweeps, fanOut, steady, fairness };
  } finally {
    await receiver.stop();
  }
}
