/** Finds out, after the answer, which of the senders that requests name exist, so that a forged id never makes an object. */
import type { GateAddress } from "../model.ts";

/** What a request says of its sender. */
export interface Claimed {
  claims: "connection" | "key";
  /** The connection's id in lower case, or the hash of the token. */
  id: string;
  /** Unique among both. */
  name: string;
}

export function claimedConnection(id: string): Claimed {
  return { claims: "connection", id, name: `c${id}` };
}

export function claimedKey(tokenSha256: string): Claimed {
  return { claims: "key", id: tokenSha256, name: `k${tokenSha256}` };
}

/** The gates of those that have a row, even a deleted one, by the name of the claim. One query. Rejects if D1 fails. */
export async function resolveSenders(
  db: D1Database,
  senders: readonly Claimed[],
): Promise<Map<string, GateAddress>> {
  const ids = (kind: Claimed["claims"]) =>
    JSON.stringify(senders.filter(({ claims }) => claims === kind).map(({ id }) => id));
  const { results } = await db
    .prepare(
      `SELECT 'c' || id AS name, 'connection' AS kind, id FROM connections WHERE id IN (SELECT value FROM json_each(?1))
       UNION ALL SELECT 'k' || token_sha256, 'key', id FROM api_keys WHERE token_sha256 IN (SELECT value FROM json_each(?2))`,
    )
    .bind(ids("connection"), ids("key"))
    .all<{ name: string; kind: GateAddress["kind"]; id: string }>();
  return new Map(results.map(({ name, kind, id }) => [name, { kind, id }]));
}
