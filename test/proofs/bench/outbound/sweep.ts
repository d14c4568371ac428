/**
 * The minute cron with 100,000 deliveries due: how long it takes until all their endpoints are woken, and how much memory the
 * gateway's isolate uses. A Worker that counts wake-ups replaces the consumers.
 */
import { IsolateMemory } from "../../../e2e/isolate-memory.ts";
import { GATEWAY_NAME, type Gateway, startGateway, WAKE_UPS_NAME } from "../gateway.ts";
import { type Modules, portOf } from "../runtime.ts";
import { fireCron, ownerOf, register } from "./endpoints.ts";

export const DUE = 100_000;
/** From one delivery for each endpoint, which is most to wake, to a backlog of a few. */
export const ENDPOINT_COUNTS = [100_000, 10];
/** The name of the gateway's isolate in the runtime's debugger. */
const ISOLATE = `/core:user:${GATEWAY_NAME}`;
const POLL_MS = 50;
const WOKEN_LIMIT_MS = 120_000;

export interface Sweep {
  endpoints: number;
  /** Until all of them are woken. */
  seconds: number;
  /** Memory of the gateway's isolate, including garbage: before, and at most during the sweep. */
  restingMiB: number;
  peakMiB: number;
}

export async function measureSweeps(modules: { gateway: Modules; wakeUps: Modules }): Promise<Sweep[]> {
  const { wakeUps } = modules;
  const gateway = await startGateway("sweep", modules.gateway, { wakeUps }, { inspected: true });
  const inspector = new URL(ISOLATE, await gateway.miniflare.getInspectorURL());
  const memory = await IsolateMemory.open(inspector.href);
  try {
    await register(gateway, ownerOf, ["https://receiver.example/"]);
    const sweeps: Sweep[] = [];
    for (const endpoints of ENDPOINT_COUNTS) {
      await seed(gateway, endpoints);
      const resting = await memory.peakOf(async () => undefined);
      let seconds = Number.NaN;
      const peak = await memory.peakOf(async () => {
        seconds = await sweepOnce(gateway, endpoints);
      });
      sweeps.push({ endpoints, seconds, restingMiB: resting.totalMiB, peakMiB: peak.totalMiB });
    }
    return sweeps;
  } finally {
    memory.close();
    await gateway.stop();
  }
}

async function sweepOnce(gateway: Gateway, endpoints: number): Promise<number> {
  const wakeUps = `http://127.0.0.1:${await portOf(gateway.miniflare, WAKE_UPS_NAME)}/`;
  const startedAt = performance.now();
  await fireCron(gateway);
  for (let woken = 0; woken < endpoints; ) {
    if (performance.now() - startedAt > WOKEN_LIMIT_MS)
      throw new Error(`${woken} of ${endpoints} endpoints were woken`);
    woken += (await (await fetch(wakeUps)).json()) as number;
    if (woken < endpoints) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return (performance.now() - startedAt) / 1_000;
}

/** Inserts rows instead of 100,000 slow registrations: copies of a registered endpoint, and their due deliveries. */
async function seed({ miniflare }: Gateway, endpoints: number): Promise<void> {
  const db = await miniflare.getD1Database("DB", GATEWAY_NAME);
  await db.prepare("DELETE FROM deliveries").run();
  await db.prepare("DELETE FROM webhooks WHERE id <> (SELECT min(id) FROM webhooks)").run();
  const { results } = await db
    .prepare("SELECT name FROM pragma_table_info('webhooks')")
    .all<{ name: string }>();
  const copied = results.map(({ name }) => (name === "id" ? "lower(hex(randomblob(12)))" : name)).join(", ");
  await db
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO webhooks SELECT ${copied} FROM (SELECT * FROM webhooks LIMIT 1) CROSS JOIN n`,
    )
    .bind(endpoints - 1)
    .run();
  await db
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
       INSERT INTO deliveries
         (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, created_at, updated_at, history)
       SELECT id, i, 'retrying', 1, 0, ?2, ?2, ?2, '[]' FROM webhooks CROSS JOIN n`,
    )
    .bind(DUE / endpoints, Date.now())
    .run();
}
