/**
 * Fans an event out to its deliveries, in one D1 batch per event. The event is stored once per owner, environment and id, together
 * with a delivery for each webhook that subscribes to its type. A repeat stores nothing. The caller wakes the endpoints; the minute
 * cron finds those that were not woken.
 */
import * as z from "zod";
import { eventDataContext } from "../crypto/contexts.ts";
import { utf8 } from "../crypto/encoding.ts";
import { type DataKey, fingerprint, type KeyRing, sealText } from "../crypto/vault.ts";
import { EVENTS_PER_MS } from "../db/events.ts";
import { currentOwnerKey, findOwnerKey, type OwnerAddress, type OwnerKey } from "../db/owner-keys.ts";
import { type Endpoint, LANES } from "../messages.ts";
import type { Environment } from "../model.ts";
import { hourOf } from "../usage/periods.ts";
import { ADD_COUNTS, markChanged } from "../usage/usage-store.ts";
import { auditFactsOf, premiumMovedCents } from "./audit-facts.ts";
import { type EventType, patternsOf } from "./event-types.ts";
import { laneSql, slowSince } from "./lanes.ts";

export interface NewEvent {
  owner: OwnerAddress;
  environment: Environment;
  id: string;
  type: EventType;
  /** Milliseconds. */
  createdAt: number;
  source: string;
  /** JSON as `JSON.stringify` writes it: a receiver that parses and serializes the body again must get the signed bytes. */
  data: string;
}

/** An event's place among other events about the same subject, so that they are stored in order. */
export interface EventPlace {
  /** Earlier events, and when each was reported. The event waits for those that a webhook of that time subscribes to and that are not yet stored. */
  after: readonly { id: string; type: EventType; at: number }[];
  /** Ids of later events: once one of them is stored, this event is outdated and is not stored. */
  before: readonly string[];
}

const ANYWHERE: EventPlace = { after: [], before: [] };

export type FannedOut =
  /** `endpoints` are to be woken; empty if no webhook subscribes to the type. */
  | { outcome: "stored" | "duplicate"; endpoints: Endpoint[] }
  /** The id names another event of the same owner. */
  | { outcome: "conflict" }
  /** Not stored: it is outdated, or only stored for subscribers and there are none. */
  | { outcome: "unwanted" }
  /** An earlier event is not stored yet. */
  | { outcome: "early" };

/** Whether events of the type are stored only for subscribers: the gates hold the full history of files. */
function storedOnlyForSubscribers(type: EventType): boolean {
  return type.startsWith("file.");
}

const SAME_OWNER = "owner_type = ?1 AND owner_id = ?2 AND environment = ?3";
/** If the owner is erased at the same time, nothing may be stored that its new key does not open. */
const hasKey = (createdAt: string) =>
  `EXISTS (SELECT 1 FROM owner_keys WHERE owner_type = ?1 AND owner_id = ?2 AND created_at = ${createdAt})`;
/** An owner may be erased while its event is being stored, but not repeatedly. */
const MAX_TRIES = 3;
const SUBSCRIBES =
  "EXISTS (SELECT 1 FROM json_each(webhooks.events) WHERE value IN (SELECT value FROM json_each(?4)))";
/** `list` is a parameter with events as JSON: id, patterns, and the time at which each was reported. */
const lacksOneOf = (list: string) => `EXISTS (
  SELECT 1 FROM json_each(${list}) AS earlier
  WHERE NOT EXISTS (SELECT 1 FROM events WHERE ${SAME_OWNER} AND id = earlier.value ->> 'id')
    AND EXISTS (
      SELECT 1 FROM webhooks
      WHERE ${SAME_OWNER} AND deleted_at IS NULL AND updated_at <= earlier.value ->> 'at' AND EXISTS (
        SELECT 1 FROM json_each(webhooks.events) AS pattern
        WHERE pattern.value IN (SELECT value FROM json_each(earlier.value, '$.patterns')))))`;
const HAS_ONE_OF = `EXISTS (SELECT 1 FROM events WHERE ${SAME_OWNER} AND id IN (SELECT value FROM json_each(?15)))`;

/** Deliveries to a disabled webhook are skipped: they are listed, and a replay can send them. */
const OFF = "status = 'disabled'";

const endpointRow = z.object({ id: z.string(), lane: z.enum(LANES) });

/** Rejects if D1 does not respond; repeating is safe. */
export async function fanOut(
  db: D1Database,
  ring: KeyRing,
  event: NewEvent,
  now: number,
  place: EventPlace = ANYWHERE,
): Promise<FannedOut> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
    const ownerKey = await currentOwnerKey(db, ring, event.owner);
    const fannedOut = await fanOutUnder(db, ownerKey, event, now, place);
    if (fannedOut !== null) return fannedOut;
    // No webhook subscribes to the event, or the owner's key was erased.
    const left = await findOwnerKey(db, ring, event.owner);
    if (left?.createdAt === ownerKey.createdAt) return { outcome: "unwanted" };
  }
  throw new Error("an event's owner is erased repeatedly");
}

/** Null if the event was not stored: no webhook subscribes to it, or the owner's key was erased meanwhile. */
async function fanOutUnder(
  db: D1Database,
  { key, createdAt: keyCreatedAt }: OwnerKey,
  event: NewEvent,
  now: number,
  place: EventPlace,
): Promise<FannedOut | null> {
  const { owner, environment, id, type } = event;
  const mac = await contentMac(key, event);
  const sealed = await sealText(key, event.data, eventDataContext(environment, id));
  const audit = auditFactsOf(type, event.data);
  const scope = [owner.type, owner.id, environment] as const;
  const patterns = JSON.stringify(patternsOf(type));
  const earlier = JSON.stringify(
    place.after.map(({ id, type, at }) => ({ id, at, patterns: patternsOf(type) })),
  );
  const premium = countPremium(db, event, keyCreatedAt, now);
  const results = await db.batch<Record<string, unknown>>([
    ...premium,
    db
      .prepare(
        `INSERT INTO events (seq, id, owner_type, owner_id, environment, type, created_at, source, content_mac, size, data,
           employer_id, period_start, period_end)
         SELECT max(?5, coalesce((SELECT max(seq) FROM events), 0) + 1), ?6, ?1, ?2, ?3, ?7, ?8, ?9, ?10, ?11, ?12,
           ?17, ?18, ?19
         WHERE (?13 = 0 OR EXISTS (SELECT 1 FROM webhooks WHERE ${SAME_OWNER} AND deleted_at IS NULL AND ${SUBSCRIBES}))
           AND ${hasKey("?16")} AND NOT ${lacksOneOf("?14")} AND NOT ${HAS_ONE_OF}
         ON CONFLICT (owner_type, owner_id, environment, id) DO NOTHING`,
      )
      .bind(
        ...scope,
        patterns,
        now * EVENTS_PER_MS,
        id,
        type,
        event.createdAt,
        event.source,
        mac,
        utf8(event.data).byteLength,
        sealed,
        storedOnlyForSubscribers(type) ? 1 : 0,
        earlier,
        JSON.stringify(place.before),
        keyCreatedAt,
        audit.employerId,
        audit.periodStart,
        audit.periodEnd,
      ),
    db
      .prepare(
        `INSERT INTO deliveries (webhook_id, event_seq, status, last_error, attempts, round_start, next_attempt_at, created_at, updated_at, history)
         SELECT id, (SELECT seq FROM events WHERE ${SAME_OWNER} AND events.id = ?5), iif(${OFF}, 'skipped', 'pending'),
           iif(${OFF}, 'webhook_disabled', NULL), 0, 0, iif(${OFF}, NULL, ?6), ?6, ?6, '[]'
         FROM webhooks
         WHERE changes() = 1 AND ${SAME_OWNER} AND deleted_at IS NULL AND ${SUBSCRIBES}`,
      )
      .bind(...scope, patterns, id, now),
    db.prepare(`SELECT content_mac FROM events WHERE ${SAME_OWNER} AND id = ?4`).bind(...scope, id),
    db
      .prepare(
        `SELECT id, ${laneSql("?5")} AS lane FROM webhooks
         WHERE ${SAME_OWNER} AND deleted_at IS NULL AND status = 'active' AND ${SUBSCRIBES}`,
      )
      .bind(...scope, patterns, slowSince(now)),
    ...(place.after.length === 0
      ? []
      : [db.prepare(`SELECT ${lacksOneOf("?4")} AS early`).bind(...scope, earlier)]),
  ]);
  const [inserted, , stored, subscribed, waiting] = results.slice(premium.length);
  const [row] = stored?.results ?? [];
  if (row === undefined && waiting?.results[0]?.early === 1) return { outcome: "early" };
  if (row === undefined) return null;
  if (row.content_mac !== mac) return { outcome: "conflict" };
  const endpoints = (subscribed?.results ?? []).map((each) => endpointRow.parse(each));
  return { outcome: inserted?.meta.changes === 1 ? "stored" : "duplicate", endpoints };
}

/**
 * The statements that add the premium that an adjusted audit moved to the counts of its owner. They run before the event is stored,
 * under the same conditions, so that a repeat is not counted again.
 */
function countPremium(
  db: D1Database,
  { owner, environment, id, type, data }: NewEvent,
  keyCreatedAt: number,
  now: number,
): D1PreparedStatement[] {
  const cents = premiumMovedCents(type, data);
  if (cents === null) return [];
  const name = `${owner.type}:${owner.id}`;
  return [
    db
      .prepare(
        `INSERT INTO usage (scope, period, at, environment, owner, counts, version, updated_at)
         SELECT 'events:' || ?4, 'hour', ?5, ?3, ?4, ?6, 1, ?7
         WHERE NOT EXISTS (SELECT 1 FROM events WHERE ${SAME_OWNER} AND id = ?8) AND ${hasKey("?9")}
         ${ADD_COUNTS}`,
      )
      .bind(
        owner.type,
        owner.id,
        environment,
        name,
        hourOf(now),
        JSON.stringify({ premium_moved: cents }),
        now,
        id,
        keyCreatedAt,
      ),
    markChanged(db, [hourOf(now)], now),
  ];
}

/** The fingerprint by which a repeated event is recognized. */
export function contentMac(key: DataKey, { type, data }: Pick<NewEvent, "type" | "data">): Promise<string> {
  return fingerprint(key, utf8(`${type}\n${data}`));
}
