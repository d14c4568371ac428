/** Lists the webhooks whose endpoint fails and that are still delivered to, or paused. */
import { type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Environment } from "../model.ts";
import { type ListCount, listCount, MAX_COUNT } from "./list-count.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import { webhooks } from "./schema.ts";
import type { Webhook } from "./webhooks.ts";

export interface FailingFilter {
  /** Null for all owners. */
  owner: OwnerAddress | null;
  /** Null for both. */
  environment: Environment | null;
}

/** The sort key of the list. */
export type FailingPosition = [failingSince: number, id: string];

/** The one that has failed for the longest time comes first. Returns `limit + 1` rows if there are more. */
export function listFailingWebhooks(
  db: D1Database,
  filter: FailingFilter,
  after: FailingPosition | null,
  limit: number,
): Promise<Webhook[]> {
  const position = after === null ? sql`` : sql`AND (failing_since, id) > (${after[0]}, ${after[1]})`;
  return drizzle(db)
    .select()
    .from(webhooks)
    .where(sql`${failing(filter)} ${position}`)
    .orderBy(webhooks.failing_since, webhooks.id)
    .limit(limit + 1);
}

export async function countFailingWebhooks(db: D1Database, filter: FailingFilter): Promise<ListCount> {
  const scanned = drizzle(db)
    .select({ id: webhooks.id })
    .from(webhooks)
    .where(failing(filter))
    .limit(MAX_COUNT + 1)
    .as("scanned");
  const [row] = await drizzle(db).select({ found: sql<number>`count(*)` }).from(scanned);
  return listCount(row?.found ?? 0, true);
}

/** Of all owners, the index of failing webhooks is read; of one owner, its webhooks, of which it has at most some thousand. */
function failing({ owner, environment }: FailingFilter): SQL {
  const ofOwner = owner === null ? sql`` : sql`AND owner_type = ${owner.type} AND owner_id = ${owner.id}`;
  const inEnvironment = environment === null ? sql`` : sql`AND environment = ${environment}`;
  return sql`failing_since IS NOT NULL AND deleted_at IS NULL AND status <> 'disabled' ${ofOwner} ${inEnvironment}`;
}
