/** One event for a thousand webhooks of its owner: the time until its deliveries are in D1, and until all are received. */
import { GATEWAY_NAME, startGateway } from "../gateway.ts";
import { type Modules, withoutPrinting } from "../runtime.ts";
import { type Summary, summarize } from "../statistics.ts";
import { ownerOf, register, tell } from "./endpoints.ts";
import type { Receiver } from "./receiver.ts";

export const WEBHOOKS = 1_000;
const RECEIVED_LIMIT_MS = 60_000;
const OWNER = ownerOf("fan-out");

export interface FanOut {
  /** Until the response to `POST /events`, when the deliveries are in D1. */
  storedMs: Summary;
  receivedMs: Summary;
}

export async function measureFanOut(
  receiver: Receiver,
  { gateway: modules, standIn }: { gateway: Modules; standIn: Modules },
  turns: number,
): Promise<FanOut> {
  const gateway = await startGateway("fan-out", withoutPrinting(modules), { standIn });
  try {
    const urls = Array.from({ length: WEBHOOKS }, (_, i) => `${receiver.url}/webhook/${i}`);
    await register(gateway, () => OWNER, urls);
    const db = await gateway.miniflare.getD1Database("DB", GATEWAY_NAME);
    const storedMs: number[] = [];
    const receivedMs: number[] = [];
    // The first turn warms up.
    for (let turn = -1; turn < turns; turn++) {
      const startedAt = performance.now();
      const id = await tell(gateway, OWNER);
      const stored = performance.now() - startedAt;
      const count = await db
        .prepare("SELECT count(*) AS count FROM deliveries JOIN events ON seq = event_seq WHERE id = ?")
        .bind(id)
        .first<number>("count");
      if (count !== WEBHOOKS) throw new Error(`${count} deliveries are in D1 after the response`);
      await receiver.take(WEBHOOKS, RECEIVED_LIMIT_MS);
      if (turn < 0) continue;
      storedMs.push(stored);
      receivedMs.push(performance.now() - startedAt);
    }
    return { storedMs: summarize(storedMs), receivedMs: summarize(receivedMs) };
  } finally {
    await gateway.stop();
  }
}
