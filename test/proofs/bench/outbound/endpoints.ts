/** Endpoints as customers have them, events as Audit1's services publish them, and the leases that start a race. */
import { randomBytes } from "node:crypto";
import { GATEWAY_NAME, type Gateway, made } from "../gateway.ts";

/** The employer of all events. */
export const EVENT_TYPE = "employee.updated";
/** Of an event's data. */
export const DATA_BYTES = 1_000;
const EVENTS_PER_REQUEST = 100;
const LONG_MS = 3_600_000;

export interface Owner {
  owner_type: "payroll_company";
  owner_id: string;
}

export function ownerOf(name: string | number): Owner {
  return { owner_type: "payroll_company", owner_id: `bench-${name}` };
}

/** Registers an endpoint for each address. Answers with their ids as rows have them. */
export function register(
  gateway: Gateway,
  ownerAt: (index: number) => Owner,
  urls: string[],
): Promise<string[]> {
  return made(urls.length, async (index) => {
    const { webhook } = (await gateway.portal("POST", "/webhooks", {
      ...ownerAt(index),
      environment: "production",
      url: urls[index],
      events: [EVENT_TYPE],
    })) as { webhook: { id: string } };
    return webhook.id.slice("wh_".length);
  });
}

export function newEvent(owner: Owner) {
  return {
    ...owner,
    id: `evt_${randomBytes(12).toString("hex")}`,
    type: EVENT_TYPE,
    environment: "production",
    data: { employeeId: "EE_1", note: randomBytes(DATA_BYTES / 2).toString("hex") },
  };
}

/** Publishes one event. Returns its id after the gateway's response. */
export async function tell(gateway: Gateway, owner: Owner): Promise<string> {
  const event = newEvent(owner);
  await gateway.portal("POST", "/events", event);
  return event.id;
}

/** Publishes many events, in batches. */
export async function publishMany(gateway: Gateway, owner: Owner, count: number): Promise<void> {
  for (let left = count; left > 0; left -= EVENTS_PER_REQUEST) {
    const events = Array.from({ length: Math.min(left, EVENTS_PER_REQUEST) }, () => newEvent(owner));
    const { success } = (await gateway.portal("POST", "/events", { events })) as { success: boolean };
    if (!success) throw new Error("not all events of a batch were accepted");
  }
}

/** Leases the endpoints to no consumer: their deliveries wait. */
export async function leaseAll(gateway: Gateway, ids: readonly string[]): Promise<void> {
  await setLeases(gateway, ids, Date.now() + LONG_MS);
}

/** Releases the leases, and has the minute cron wake the endpoints. */
export async function releaseAll(gateway: Gateway, ids: readonly string[]): Promise<void> {
  await setLeases(gateway, ids, 0);
  await fireCron(gateway);
}

async function setLeases({ miniflare }: Gateway, ids: readonly string[], until: number): Promise<void> {
  const db = await miniflare.getD1Database("DB", GATEWAY_NAME);
  await db
    .prepare(
      `UPDATE webhooks SET holder = CASE WHEN ?2 = 0 THEN NULL ELSE 'bench' END, held_until = ?2, slow_at = NULL
       WHERE id IN (SELECT value FROM json_each(?1))`,
    )
    .bind(JSON.stringify(ids), until)
    .run();
}

/** Resolves when the minute cron has ended. */
export async function fireCron({ miniflare }: Gateway): Promise<void> {
  const worker = await miniflare.getWorker(GATEWAY_NAME);
  const { outcome } = await worker.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  if (outcome !== "ok") throw new Error(`the cron ended with ${outcome}`);
}
