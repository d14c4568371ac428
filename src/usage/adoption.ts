/** The adoption metric: which of the connections and keys that are set up have sent a report lately. */
import type { OwnerAddress } from "../db/owner-keys.ts";
import { type Environment, OWNER_TYPES } from "../model.ts";

interface Reporters {
  /** The number with an accepted report. */
  count: number;
  /** The number that are set up and active. */
  of: number;
}

export interface Adoption {
  connections: Reporters;
  keys: Reporters;
}

/** `from` and `to` are beginnings of days. A null `owner` means all owners, a null `environment` both. */
export async function adoptionOf(
  db: D1Database,
  owner: OwnerAddress | null,
  environment: Environment | null,
  { from, to }: { from: number; to: number },
): Promise<Adoption> {
  // A list of all types, so that the index serves the question about all owners as well.
  const types = JSON.stringify(owner === null ? OWNER_TYPES : [owner.type]);
  const counted = (table: string, scope: string, isSetUp: string) =>
    db
      .prepare(
        `SELECT count(*) AS "of", count(*) FILTER (WHERE EXISTS (
           SELECT 1 FROM usage WHERE scope = '${scope}:' || r.id AND period = 'day' AND at >= ?1 AND at < ?2
             AND counts ->> 'accepted' > 0)) AS count
         FROM ${table} r
         WHERE r.owner_type IN (SELECT value FROM json_each(?3)) ${owner === null ? "" : "AND r.owner_id = ?5"}
           AND ${isSetUp} AND r.created_at < ?2 AND (?4 IS NULL OR r.environment = ?4)`,
      )
      .bind(from, to, types, environment, ...(owner === null ? [] : [owner.id]));
  const [connections, keys] = await db.batch<Reporters>([
    counted(
      "connections",
      "connection",
      "r.deleted_at IS NULL AND r.type = 'webhook' AND r.status = 'active'",
    ),
    counted("api_keys", "key", "r.is_active = 1"),
  ]);
  return {
    connections: connections?.results[0] ?? { count: 0, of: 0 },
    keys: keys?.results[0] ?? { count: 0, of: 0 },
  };
}
