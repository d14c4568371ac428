/** Bearer keys of the developer API. */
import { and, desc, eq, gte, isNotNull, lt, lte, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { ENVIRONMENTS, OWNER_TYPES, PLANS } from "../model.ts";
import type { AuditRow } from "./audit.ts";
import type { Consistency, Found } from "./connections.ts";
import { type Creation, changeIfUnchanged, type Inserted, insertOnce } from "./creations.ts";
import { apiKeys } from "./schema.ts";

export type ApiKey = typeof apiKeys.$inferSelect;

export function insertApiKey(
  db: D1Database,
  row: ApiKey,
  auditRow: AuditRow,
  creation: Creation | null,
): Promise<Inserted> {
  return insertOnce(db, apiKeys, row, auditRow, { creation });
}

/** The columns that may change, besides the time of last use. */
export type ApiKeyChange = Partial<Pick<ApiKey, "is_active" | "plan" | "data_key" | "erase_at">>;

/** Deactivated keys whose data key is due for deletion. */
export function findKeysToErase(db: D1Database, now: number, limit: number): Promise<ApiKey[]> {
  return drizzle(db)
    .select()
    .from(apiKeys)
    .where(and(isNotNull(apiKeys.erase_at), lte(apiKeys.erase_at, now), sql`data_key <> ''`))
    .orderBy(apiKeys.erase_at)
    .limit(limit);
}

/** Also returns inactive keys. */
export async function getApiKey(db: D1Database, id: string): Promise<ApiKey | null> {
  const [row] = await drizzle(db).select().from(apiKeys).where(eq(apiKeys.id, id));
  return row ?? null;
}

/** The sort key of lists. */
export type ApiKeyPosition = [createdAt: number, id: string];

/** An owner's keys after a position, newest first. Returns `limit + 1` rows if there are more. */
export function listApiKeys(
  db: D1Database,
  owner: Pick<ApiKey, "owner_type" | "owner_id">,
  { inactiveToo }: { inactiveToo: boolean },
  after: ApiKeyPosition | null,
  limit: number,
): Promise<ApiKey[]> {
  return drizzle(db)
    .select()
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.owner_type, owner.owner_type),
        eq(apiKeys.owner_id, owner.owner_id),
        // Exactly the condition of the index, so that SQLite uses it.
        inactiveToo ? undefined : sql`is_active = 1`,
        after === null ? undefined : sql`(${apiKeys.created_at}, ${apiKeys.id}) < (${after[0]}, ${after[1]})`,
      ),
    )
    .orderBy(desc(apiKeys.created_at), desc(apiKeys.id))
    .limit(limit + 1);
}

/** Writes `change` if the row is still as it was read. Returns false if it was changed meanwhile. */
export function changeApiKey(
  db: D1Database,
  read: ApiKey,
  change: ApiKeyChange & Pick<ApiKey, "version" | "updated_at">,
  auditRow: AuditRow,
): Promise<boolean> {
  const endsSecret = change.is_active === false;
  return changeIfUnchanged(db, apiKeys, read, change, auditRow, { endsSecret });
}

/** Reads from the primary, so that a deactivated key is refused from the next request on. */
export async function findApiKey(db: D1Database, tokenSha256: string): Promise<ApiKey | null> {
  const [row] = await drizzle(db).select().from(apiKeys).where(eq(apiKeys.token_sha256, tokenSha256));
  return row ?? null;
}

/** The key whose token's hash begins with these hex digits, even if it is inactive. */
export async function findKeyByHashStart(
  db: D1Database,
  digits: string,
): Promise<Pick<ApiKey, "id" | "owner_type" | "owner_id"> | null> {
  const { id, owner_type, owner_id, token_sha256 } = apiKeys;
  const [row] = await drizzle(db)
    .select({ id, owner_type, owner_id })
    .from(apiKeys)
    // `g` sorts after every hex digit.
    .where(and(gte(token_sha256, digits), lt(token_sha256, `${digits}g`)))
    .limit(1);
  return row ?? null;
}

const sendingKeyRow = z.object({
  id: z.string(),
  owner_type: z.enum(OWNER_TYPES),
  owner_id: z.string(),
  environment: z.enum(ENVIRONMENTS),
  plan: z.enum(PLANS),
  is_active: z.number().transform((n) => n === 1),
  data_key: z.string(),
  version: z.number(),
  last_used_at: z.number().nullable(),
});
export type SendingKeyRow = z.infer<typeof sendingKeyRow>;

/** A key as the report endpoints read it. Null if there is none. Rejects if D1 fails. */
export async function findSendingKey(
  db: D1Database,
  tokenSha256: string,
  consistency: Consistency,
): Promise<Found<SendingKeyRow | null>> {
  const { results, meta } = await db
    .withSession(consistency)
    .prepare(
      `SELECT id, owner_type, owner_id, environment, plan, is_active, data_key, version, last_used_at
       FROM api_keys WHERE token_sha256 = ?`,
    )
    .bind(tokenSha256)
    .all();
  const [row] = results;
  return {
    value: row === undefined ? null : sendingKeyRow.parse(row),
    fromPrimary: consistency === "first-primary" || meta.served_by_primary === true,
  };
}

/** Records a use of the key. The version stays, because nothing that is enforced depends on it. */
export async function recordKeyUse(db: D1Database, id: string, at: number): Promise<void> {
  await db
    .prepare("UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1")
    .bind(id, at)
    .run();
}
