/** Bearer keys of the developer API. */
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { type AuditRow, tellIfChanged } from "./audit.ts";
import type { Consistency, Found } from "./connections.ts";
import { apiKeys, ENVIRONMENTS, OWNER_TYPES, PLANS } from "./schema.ts";

export type ApiKey = typeof apiKeys.$inferSelect;

export async function insertApiKey(db: D1Database, row: ApiKey, told: AuditRow): Promise<void> {
  const orm = drizzle(db);
  await orm.batch([orm.insert(apiKeys).values(row), tellIfChanged(orm, told)]);
}

/** Looked up on the primary: a key that was deactivated is refused from the next request on. */
export async function findApiKey(db: D1Database, tokenSha256: string): Promise<ApiKey | null> {
  const [row] = await drizzle(db).select().from(apiKeys).where(eq(apiKeys.token_sha256, tokenSha256));
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

/** A key as the door for reports reads it; null when there is none. Rejects when D1 does not answer. */
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

/** Notes that a key was used. No version: nothing that is enforced depends on it. */
export async function noteKeyUsed(db: D1Database, id: string, at: number): Promise<void> {
  await db
    .prepare("UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1")
    .bind(id, at)
    .run();
}
