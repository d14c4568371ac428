/** Bearer keys of the developer API. */
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, tellIfChanged } from "./audit.ts";
import { apiKeys } from "./schema.ts";

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
