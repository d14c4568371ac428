/** Drives deliveries step by step: collects wake-ups, hands batches to the consumer, scripts the receivers. */
import { createMessageBatch } from "cloudflare:test";
import { vi } from "vitest";
import * as z from "zod";
import type { Bindings } from "../../src/bindings.ts";
import { webhookSecretContext } from "../../src/crypto/contexts.ts";
import { newObjectId } from "../../src/crypto/ids.ts";
import { sealText } from "../../src/crypto/vault.ts";
import { ownerKey } from "../../src/db/owner-keys.ts";
import type { webhooks } from "../../src/db/schema.ts";
import { readSettings } from "../../src/env.ts";
import worker from "../../src/index.ts";
import type { EndpointWakeUp, Lane } from "../../src/messages.ts";
import type { Environment, OwnerType } from "../../src/model.ts";
import { type FannedOut, fanOut, type NewEvent } from "../../src/outbound/fan-out.ts";
import type { Replay } from "../../src/outbound/replay.ts";
import { sealUrl } from "../../src/outbound/sealed-url.ts";
import { bindings, type Json } from "./gateway.ts";

export type WebhookRow = typeof webhooks.$inferSelect;
export const OWNER = { type: "payroll_company" as OwnerType, id: "acme" };
export const SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/** Stores a webhook as the portal does; with `target: null`, as the portal did before URLs were sealed. */
export async function storeWebhook({ url, ...fields }: Partial<WebhookRow> = {}): Promise<WebhookRow> {
  const id = fields.id ?? newObjectId();
  const owner = { type: fields.owner_type ?? OWNER.type, id: fields.owner_id ?? OWNER.id };
  const key = await ownerKey(bindings.DB, readSettings(bindings).keyRing, owner);
  const secretId = newObjectId();
  const address = url ?? `https://${id}.receiver-audit.com/hook`;
  const row: WebhookRow = {
    id,
    owner_type: owner.type,
    owner_id: owner.id,
    environment: "production",
    ...(fields.target === null ? { url: address, target: null } : await sealUrl(key, id, address)),
    events: ["*"],
    description: null,
    status: "active",
    disabled_reason: null,
    notification_email: null,
    signature_format: "timestamped",
    headers: null,
    secrets: [
      {
        id: secretId,
        sealed: await sealText(key, SECRET, webhookSecretContext(id, secretId)),
        created_at: 1,
        expires_at: null,
        activated: true,
      },
    ],
    max_in_flight: 4,
    consecutive_failures: 0,
    failing_since: null,
    last_success_at: null,
    slow_at: null,
    proven_at: 1,
    last_failure: null,
    failure_level: 0,
    failure_mailed_at: null,
    paused_at: null,
    expiry_notified_seq: 0,
    max_per_minute: null,
    pace: null,
    paced_until: 0,
    mailed_at: null,
    holder: null,
    held_until: 0,
    version: 1,
    created_at: Date.now(),
    updated_at: Date.now(),
    deleted_at: null,
    ...fields,
  };
  const entries = Object.entries(row).map(([name, value]) => [
    name,
    value !== null && typeof value === "object" ? JSON.stringify(value) : value,
  ]);
  await bindings.DB.prepare(
    `INSERT INTO webhooks (${entries.map(([name]) => name).join(", ")}) VALUES (${entries.map(() => "?").join(", ")})`,
  )
    .bind(...entries.map(([, value]) => value))
    .run();
  return row;
}

/** Stores a replay, without the checks that the portal makes. */
export async function storeReplay(replay: Replay): Promise<void> {
  const entries = Object.entries(replay);
  await bindings.DB.prepare(
    `INSERT INTO replays (${entries.map(([name]) => `"${name}"`).join(", ")}) VALUES (${entries.map(() => "?").join(", ")})`,
  )
    .bind(...entries.map(([, value]) => value))
    .run();
}

let eventCount = 0;

export function newEvent(fields: Partial<NewEvent> = {}): NewEvent {
  return {
    owner: OWNER,
    environment: "production" as Environment,
    id: `evt_${++eventCount}_${newObjectId()}`,
    type: "policy.created",
    createdAt: Date.parse("2026-03-16T10:30:00.000Z"),
    source: "audit1",
    data: JSON.stringify({ policyId: "WC123" }),
    ...fields,
  };
}

export function tell(fields: Partial<NewEvent> = {}, now = Date.now(), db = bindings.DB): Promise<FannedOut> {
  return fanOut(db, readSettings(bindings).keyRing, newEvent(fields), now);
}

/** Endpoints by lane. */
export type Woken = Record<Lane, string[]>;

/** From now on wake-ups reach no delivery queue. The endpoints that they name are collected in the returned lists. */
export function catchEndpointWakeUps(): Woken {
  const caught: Woken = { quick: [], slow: [], new: [] };
  for (const [queue, list] of [
    [bindings.DELIVERIES, caught.quick],
    [bindings.DELIVERIES_SLOW, caught.slow],
    [bindings.DELIVERIES_NEW, caught.new],
  ] as const) {
    vi.spyOn(queue, "sendBatch").mockImplementation(async (messages) => {
      for (const { body } of messages) list.push(...body.webhook_ids);
      return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
    });
  }
  return caught;
}

const mail = z.object({ from: z.string(), to: z.string(), subject: z.string(), text: z.string() });
export type SentMail = z.infer<typeof mail>;

/** From now on `mailbox` receives every mail; when it throws, the mail was not sent. Returns the mails that it accepted, in order. */
export function catchMails(mailbox: (mail: SentMail) => void | Promise<void> = () => undefined): SentMail[] {
  const taken: SentMail[] = [];
  vi.spyOn(bindings.EMAIL, "send").mockImplementation(async (message) => {
    const sent = mail.parse(message);
    await mailbox(sent);
    return { messageId: String(taken.push(sent)) };
  });
  return taken;
}

export interface Handed {
  acked: number[];
  retried: number[];
}

/** Hands the consumer one message per list of endpoints. */
export async function handOver(
  bodies: readonly unknown[],
  { using = bindings, queue = "audit1-deliveries" }: { using?: Bindings; queue?: string } = {},
): Promise<Handed> {
  const batch = createMessageBatch<EndpointWakeUp>(
    queue,
    bodies.map((body, i) => ({
      id: `m${i}`,
      timestamp: new Date(),
      attempts: 1,
      body: body as EndpointWakeUp,
    })),
  );
  const handed: Handed = { acked: [], retried: [] };
  for (const [position, message] of batch.messages.entries()) {
    vi.spyOn(message, "ack").mockImplementation(() => void handed.acked.push(position));
    vi.spyOn(message, "retry").mockImplementation(() => void handed.retried.push(position));
  }
  await worker.queue(batch, using);
  return handed;
}

/** Runs the consumer once for these webhooks. New webhooks are woken in their own lane. */
export async function wake(...hooks: { id: string }[]): Promise<Handed> {
  const ids = hooks.map(({ id }) => id);
  const { results } = await bindings.DB.prepare(
    "SELECT 1 FROM webhooks WHERE proven_at IS NULL AND id IN (SELECT value FROM json_each(?))",
  )
    .bind(JSON.stringify(ids))
    .all();
  const queue = results.length > 0 ? "audit1-deliveries-new" : "audit1-deliveries";
  return handOver([{ webhook_ids: ids }], { queue });
}

export interface Call {
  /** The first label of the host: the webhook's id. */
  webhook: string;
  url: string;
  headers: Headers;
  body: Json;
  text: string;
}

/** Responds to every outbound request, and records it. */
export function receiver(respond: (call: Call) => Response | Promise<Response> = () => new Response("ok")): {
  calls: Call[];
} {
  const calls: Call[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit);
    const text = await request.text();
    const call = {
      webhook: new URL(request.url).hostname.split(".")[0] ?? "",
      url: request.url,
      headers: request.headers,
      body: JSON.parse(text),
      text,
    };
    calls.push(call);
    return respond(call) as never;
  });
  return { calls };
}

/** Receivers that respond after `ms`. `most` returns how many requests have been in flight together at most. */
export function meteredReceiver(
  ms: number,
  respond: () => Response = () => new Response(),
): { calls: Call[]; most: () => number } {
  let inFlight = 0;
  let most = 0;
  const { calls } = receiver(async () => {
    most = Math.max(most, ++inFlight);
    await scheduler.wait(ms);
    inFlight--;
    return respond();
  });
  return { calls, most: () => most };
}

export async function deliveriesOf(webhook: { id: string }): Promise<Json[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT d.*, e.id AS event_id FROM deliveries d LEFT JOIN events e ON e.seq = d.event_seq WHERE webhook_id = ? ORDER BY event_seq",
  )
    .bind(webhook.id)
    .all<Json>();
  return results.map((row) => ({ ...row, history: JSON.parse(row.history) }));
}

export async function stored(webhook: { id: string }): Promise<Json> {
  const row = await bindings.DB.prepare("SELECT * FROM webhooks WHERE id = ?").bind(webhook.id).first<Json>();
  if (row === null) throw new Error("no such webhook");
  return row;
}

export async function noticesOf(webhook: { id: string }): Promise<Json[]> {
  const { results } = await bindings.DB.prepare("SELECT * FROM notices WHERE webhook_id = ? ORDER BY id")
    .bind(webhook.id)
    .all<Json>();
  return results;
}
