/** Looks up, after the response, which senders exist of those that requests claim to be from. A forged id never creates an object. */
import type { GateAddress } from "../model.ts";

/** The sender that a request claims to be from, before it is known whether there is one. */
export interface ClaimedSender {
  kind: GateAddress["kind"];
  /** The connection's id in lower case, or the hash of the token. */
  id: string;
  /** Unique among both kinds. */
  name: string;
}

export function claimedConnection(id: string): ClaimedSender {
  return { kind: "connection", id, name: `c${id}` };
}

export function claimedKey(tokenSha256: string): ClaimedSender {
  return { kind: "key", id: tokenSha256, name: `k${tokenSha256}` };
}

/** The gates of the senders that have a row, even a deleted one, by the sender's name. One query. Rejects if D1 fails. */
export async function gatesOfSenders(
  db: D1Database,
  senders: readonly ClaimedSender[],
): Promise<Map<string, GateAddress>> {
  const ids = (kind: GateAddress["kind"]) =>
    JSON.stringify(senders.filter((sender) => sender.kind === kind).map(({ id }) => id));
  const { results } = await db
    .prepare(
      `SELECT 'c' || id AS name, 'connection' AS kind, id FROM connections WHERE id IN (SELECT value FROM json_each(?1))
       UNION ALL SELECT 'k' || token_sha256, 'key', id FROM api_keys WHERE token_sha256 IN (SELECT value FROM json_each(?2))`,
    )
    .bind(ids("connection"), ids("key"))
    .all<{ name: string; kind: GateAddress["kind"]; id: string }>();
  return new Map(results.map(({ name, kind, id }) => [name, { kind, id }]));
}
