/**
 * The hours of the retry schedule, after senders have stopped. At first faults and kills go on, so that they also hit late
 * retries. Then every delivery must end.
 */
import { type Chance, pause } from "./chance.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { type Backlog, CALM, type OpenDeliveries, ROUGH } from "./orders.ts";
import type { Receivers } from "./receivers.ts";

const MINUTE_MS = 60_000;
/** In the gateway's time: the waits of the schedule, each plus a minute for the cron. */
export const FIRST_WAITS: Waits = { minutes: [2, 6], endInKill: false };
export const LATER_WAITS: Waits = { minutes: [31, 121], endInKill: true };
const SWEEPS_PER_HOP = 3;
const HOP_MS = 15 * MINUTE_MS;
/** Longer than the whole schedule, and than the hour for which mails are collected. */
const LONGEST_MS = 16 * 60 * MINUTE_MS;
/** In the gateway's time: longer than the lease of a dead consumer. */
const BETWEEN_SWEEPS_MS = 35_000;
/** In real time. */
const LEFT_ALONE_MS = { low: 200, high: 500 };
const STUCK_PATIENCE_MS = 10_000;
const POLL_MS = 30;

interface Waits {
  minutes: number[];
  endInKill: boolean;
}

export interface RunOut {
  /** Work that was due and not done although nothing failed. */
  forgotten: string[];
  /** In the gateway's time. */
  tookMs: number;
}

/** Senders have stopped; faults go on. Returns how often the gateway was killed. */
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

/** Faults stop, except at the receivers that always fail. */
export async function runOut(gateway: GatewayProcess, receivers: Receivers): Promise<RunOut> {
  const startedAt = gateway.now();
  receivers.mood = "fine";
  await gateway.order({ rates: CALM });
  const forgotten = await settle(gateway, receivers);
  return { forgotten, tookMs: gateway.now() - startedAt };
}

/** Advances the clock until no delivery is pending, or until the schedule must have ended. */
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
    if (left > 0) forgotten.push(`${left} deliveries were due and not attempted`);
  }
}

/** Waits until all work due by `dueBy` is done. Returns how much is left when no request has arrived for `patienceMs`. */
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
