/** Which webhooks of an owner subscribe to what. */
import { and, desc, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Environment } from "../model.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import { webhooks } from "./schema.ts";
import type { Webhook } from "./webhooks.ts";

export type Subscriber = Pick<Webhook, "id" | "url" | "target" | "events" | "status">;

/** All of the owner's webhooks of an environment, newest first. An owner has few enough to read. */
export function subscribersOf(
  db: D1Database,
  owner: OwnerAddress,
  environment: Environment,
): Promise<Subscriber[]> {
  const { id, url, target, events, status } = webhooks;
  return drizzle(db)
    .select({ id, url, target, events, status })
    .from(webhooks)
    .where(
      and(
        eq(webhooks.owner_type, owner.type),
        eq(webhooks.owner_id, owner.id),
        // Exactly the condition of the index, so that SQLite uses it.
        sql`deleted_at IS NULL`,
        eq(webhooks.environment, environment),
      ),
    )
    .orderBy(desc(webhooks.created_at), desc(id));
}
