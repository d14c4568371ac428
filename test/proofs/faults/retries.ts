/**
 * The hours of the retry schedule, when senders have stopped. At first things still break and the gateway is still killed, so
 * that late retries meet the storm too. Then all that is owed to webhooks has to come to its end.
 */
import { type Chance, pause } from "./chance.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { type Backlog, CALM, type OpenDeliveries, ROUGH } from "./orders.ts";
import type { Receivers } from "./receivers.ts";

const MINUTE_MS = 60_000;
/** Of the gateway's clock: the waits of the schedule, each with a minute for the cron. */
export const FIRST_WAITS: Waits = { minutes: [2, 6], endInKill: false };
export const LATER_WAITS: Waits = { minutes: [31, 121], endInKill: true };
const SWEEPS_PER_HOP = 3;
const HOP_MS = 15 * MINUTE_MS;
/** Longer than the whole schedule, and than the hour for which mails gather. */
const LONGEST_MS = 16 * 60 * MINUTE_MS;
/** Of the gateway's clock: longer than a dead consumer holds an endpoint. */
const BETWEEN_SWEEPS_MS = 35_000;
/** Of our clock. */
const LEFT_ALONE_MS = { low: 200, high: 500 };
const STUCK_PATIENCE_MS = 10_000;
const POLL_MS = 30;

interface Waits {
  minutes: number[];
  endInKill: boolean;
}

export interface RunOut {
  /** What was due and not done, though nothing was in the way. */
  forgotten: string[];
  /** Of the gateway's clock. */
  tookMs: number;
}

/** Nobody sends any more; everything else breaks as before. Answers how often the gateway was killed. */
export async function age(
  gateway: GatewayProcess,
  receivers: Receivers,
  waits: Waits,
  chance: Chance,
): Promise<number> {
  receivers.mood = "rough";
  await gateway.order({ rates: ROUGH });
  for (const minutes of waits.minutes) {
    await gateway.order({ forwardMs: minutes * MINUTE_MS });
    for (let sweep = 0; sweep < SWEEPS_PER_HOP; sweep++) {
      await gateway.order({ forwardMs: BETWEEN_SWEEPS_MS });
      await Promise.all([gateway.control("cron"), gateway.control("cron")]);
      await pause(chance.between(LEFT_ALONE_MS.low, LEFT_ALONE_MS.high));
    }
  }
  if (!waits.endInKill) return 0;
  await gateway.kill();
  await gateway.start();
  await gateway.order({ forwardMs: 0 });
  return 1;
}

/** Nothing breaks any more but receivers that never did anything else. */
export async function runOut(gateway: GatewayProcess, receivers: Receivers): Promise<RunOut> {
  const startedAt = gateway.now();
  receivers.mood = "fine";
  await gateway.order({ rates: CALM });
  const forgotten = await settle(gateway, receivers);
  return { forgotten, tookMs: gateway.now() - startedAt };
}

/** Lets the clock run until nothing is owed, or for as long as anything could be. */
async function settle(gateway: GatewayProcess, receivers: Receivers): Promise<string[]> {
  const forgotten: string[] = [];
  const deadline = gateway.now() + LONGEST_MS;
  for (;;) {
    const open = await gateway.control<OpenDeliveries>("open-deliveries");
    const { owed } = await gateway.control<Backlog>("backlog");
    if (open.open + open.held + open.notices + owed === 0 || open.now > deadline) return forgotten;
    await gateway.order({ forwardMs: Math.max(HOP_MS, (open.nextAt ?? 0) - open.now) });
    const dueBy = gateway.now();
    await gateway.control("cron");
    const left = await allDone(gateway, receivers, dueBy, forgotten.length === 0 ? STUCK_PATIENCE_MS : 0);
    if (left > 0) forgotten.push(`${left} deliveries were due and nobody came for them`);
  }
}

/** Until nothing is left of what was due by then; answers what is left when nothing has come for so long. */
async function allDone(
  gateway: GatewayProcess,
  receivers: Receivers,
  dueBy: number,
  patienceMs: number,
): Promise<number> {
  const since = Date.now();
  for (;;) {
    const { due, held } = await gateway.control<OpenDeliveries>("open-deliveries", { dueBy });
    if (due + held === 0 && receivers.inFlight.size === 0) return 0;
    if (Date.now() - Math.max(since, receivers.lastRequestAt) > patienceMs) return due;
    await pause(POLL_MS);
  }
}
