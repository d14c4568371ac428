/** Webhooks as the portal writes them. Every change is a compare-and-set on `version`, so that no change is lost. */
import { and, desc, eq, isNull, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { Environment } from "../model.ts";
import { type AuditRow, wasAudited } from "./audit.ts";
import { type Creation, changeIfUnchanged, type Inserted, insertOnce } from "./creations.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import { replays, webhooks } from "./schema.ts";

export type Webhook = typeof webhooks.$inferSelect;
/** The columns that the portal may change: all but the owner, the lease and the times of notifications. */
export type WebhookChange = Partial<
  Omit<
    Webhook,
    | "id"
    | "owner_type"
    | "owner_id"
    | "environment"
    | "mailed_at"
    | "failure_mailed_at"
    | "expiry_notified_seq"
    | "pace"
    | "holder"
    | "held_until"
    | "version"
    | "created_at"
    | "updated_at"
  >
>;

/**
 * Refused if the owner already has `most` webhooks in the environment, including disabled ones, or if the owner's key that sealed the
 * secrets, created at `keyCreatedAt`, has been erased meanwhile.
 */
export function insertWebhook(
  db: D1Database,
  row: Webhook,
  auditRow: AuditRow,
  { creation, most, keyCreatedAt }: { creation: Creation | null; most: number; keyCreatedAt: number },
): Promise<Inserted> {
  const owner = sql`owner_type = ${row.owner_type} AND owner_id = ${row.owner_id}`;
  const onlyIf = sql`EXISTS (SELECT 1 FROM owner_keys WHERE ${owner} AND created_at = ${keyCreatedAt})
    AND (SELECT count(*) FROM webhooks WHERE ${owner} AND deleted_at IS NULL AND environment = ${row.environment}) < ${most}`;
  return insertOnce(db, webhooks, row, auditRow, { creation, onlyIf });
}

/** Null if there is none, or if it is deleted. */
export async function getWebhook(db: D1Database, id: string): Promise<Webhook | null> {
  const [row] = await drizzle(db)
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.id, id), isNull(webhooks.deleted_at)));
  return row ?? null;
}

/** Also returns a deleted webhook: its deliveries can still be read. */
export async function getAnyWebhook(db: D1Database, id: string): Promise<Webhook | null> {
  const [row] = await drizzle(db).select().from(webhooks).where(eq(webhooks.id, id));
  return row ?? null;
}

/** Writes `change` if the row is still as it was read. Returns false if it was changed meanwhile. */
export function changeWebhook(
  db: D1Database,
  read: Webhook,
  change: WebhookChange & Pick<Webhook, "version" | "updated_at">,
  auditRow: AuditRow,
): Promise<boolean> {
  const turnsOff = change.status === "disabled" || change.deleted_at != null;
  const endsSecret = change.secrets !== undefined || turnsOff;
  const also = turnsOff ? [endReplays(drizzle(db), read.id, auditRow, change.updated_at)] : [];
  return changeIfUnchanged(db, webhooks, read, change, auditRow, { endsSecret, also });
}

/** Ends the running replay of the webhook, if the change that `auditRow` records was made. */
function endReplays(orm: DrizzleD1Database, webhookId: string, auditRow: AuditRow, now: number) {
  return orm
    .update(replays)
    .set({ status: "ended", updated_at: now })
    .where(and(eq(replays.webhook_id, webhookId), eq(replays.status, "running"), wasAudited(auditRow)));
}

/** The sort key of lists. */
export type WebhookPosition = [createdAt: number, id: string];

/** Webhooks older than `before`, newest first. Returns `limit + 1` rows if there are more. An owner has few enough to filter. */
export function listWebhooks(
  db: D1Database,
  owner: OwnerAddress,
  filter: { environment?: Environment | undefined; status?: Webhook["status"] | undefined },
  before: WebhookPosition | null,
  limit: number,
): Promise<Webhook[]> {
  return drizzle(db)
    .select()
    .from(webhooks)
    .where(
      and(
        eq(webhooks.owner_type, owner.type),
        eq(webhooks.owner_id, owner.id),
        // Exactly the condition of the index, so that SQLite uses it.
        sql`deleted_at IS NULL`,
        filter.environment === undefined ? undefined : eq(webhooks.environment, filter.environment),
        filter.status === undefined ? undefined : eq(webhooks.status, filter.status),
        before === null ? undefined : sql`(created_at, id) < (${before[0]}, ${before[1]})`,
      ),
    )
    .orderBy(desc(webhooks.created_at), desc(webhooks.id))
    .limit(limit + 1);
}
