/** The rows of an owner's erasure: when it is due, and the deletion of its key and of everything sealed with it. */
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, asStatement, insertAuditIfChanged } from "./audit.ts";
import { endReplaysOfOwner } from "./ended-replays.ts";
import type { OwnerAddress } from "./owner-keys.ts";

const OF_OWNER = "owner_type = ?1 AND owner_id = ?2";

/**
 * Schedules the owner's erasure and disables its webhooks, whose creations return no secret from then on. With null, cancels an
 * erasure that is not due yet. Changes nothing if the state is as requested already. Returns the state afterwards; null if nothing
 * of the owner is stored.
 */
export async function setErasure(
  db: D1Database,
  { type, id }: OwnerAddress,
  eraseAt: number | null,
  auditRow: AuditRow,
  now: number,
): Promise<{ eraseAt: number | null } | null> {
  const [, , , , found] = await db.batch<{ erase_at: number | null }>([
    db
      .prepare(
        `UPDATE owner_keys SET erase_at = ?3
         WHERE ${OF_OWNER} AND (erase_at IS NULL) <> (?3 IS NULL) AND coalesce(erase_at > ?4, 1)`,
      )
      .bind(type, id, eraseAt, now),
    asStatement(db, insertAuditIfChanged(drizzle(db), auditRow)),
    db
      .prepare(
        `UPDATE webhooks SET status = 'disabled', disabled_reason = 'requested', version = max(?3, version + 1), updated_at = ?3
         WHERE ${OF_OWNER} AND deleted_at IS NULL AND status <> 'disabled' AND ?4 IS NOT NULL
           AND EXISTS (SELECT 1 FROM audit WHERE id = ?5)`,
      )
      .bind(type, id, now, eraseAt, auditRow.id),
    db
      .prepare(
        `UPDATE creations SET secret_ended = 1, sealed_token = NULL
         WHERE ${OF_OWNER} AND ?3 IS NOT NULL AND object_id IN (SELECT id FROM webhooks WHERE ${OF_OWNER})
           AND EXISTS (SELECT 1 FROM audit WHERE id = ?4)`,
      )
      .bind(type, id, eraseAt, auditRow.id),
    db.prepare(`SELECT erase_at FROM owner_keys WHERE ${OF_OWNER}`).bind(type, id),
    endReplaysOfOwner(db, { type, id }, now),
  ]);
  const [row] = found?.results ?? [];
  return row === undefined ? null : { eraseAt: row.erase_at };
}

/** Owners whose erasure is due, the longest due first. */
export async function findOwnersToErase(db: D1Database, now: number, limit: number): Promise<OwnerAddress[]> {
  const { results } = await db
    .prepare(
      "SELECT owner_type AS type, owner_id AS id FROM owner_keys WHERE erase_at <= ? ORDER BY erase_at LIMIT ?",
    )
    .bind(now, limit)
    .all<OwnerAddress>();
  return results;
}

/** Deletes at most `limit` events of the owner. Returns how many. */
export async function deleteEvents(
  db: D1Database,
  { type, id }: OwnerAddress,
  limit: number,
): Promise<number> {
  const { meta } = await db
    .prepare(`DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE ${OF_OWNER} LIMIT ?3)`)
    .bind(type, id, limit)
    .run();
  return meta.changes;
}

/** The host of a URL, which ends in a slash whether the URL is sealed or not. Only the host survives an erasure. */
const AFTER_SCHEME = "substr(url, instr(url, '://') + 3)";
const HOST = `substr(${AFTER_SCHEME}, 1, instr(${AFTER_SCHEME}, '/') - 1)`;

/** Deletes the owner's key, its remaining events, its creations, its portal links and sessions, and its webhooks with all sealed values. */
export async function eraseOwner(
  db: D1Database,
  { type, id }: OwnerAddress,
  auditRow: AuditRow,
  now: number,
): Promise<void> {
  const wasAudited = "EXISTS (SELECT 1 FROM audit WHERE id = ?3)";
  await db.batch([
    db.prepare(`DELETE FROM owner_keys WHERE ${OF_OWNER} AND erase_at <= ?3`).bind(type, id, now),
    asStatement(db, insertAuditIfChanged(drizzle(db), auditRow)),
    db.prepare(`DELETE FROM events WHERE ${OF_OWNER} AND ${wasAudited}`).bind(type, id, auditRow.id),
    db.prepare(`DELETE FROM creations WHERE ${OF_OWNER} AND ${wasAudited}`).bind(type, id, auditRow.id),
    db.prepare(`DELETE FROM portal_links WHERE ${OF_OWNER} AND ${wasAudited}`).bind(type, id, auditRow.id),
    db.prepare(`DELETE FROM sessions WHERE ${OF_OWNER} AND ${wasAudited}`).bind(type, id, auditRow.id),
    db
      .prepare(
        `UPDATE webhooks SET status = 'disabled', disabled_reason = coalesce(disabled_reason, 'requested'), secrets = '[]',
           headers = NULL, version = max(?4, version + 1), updated_at = ?4, deleted_at = ?4
         WHERE ${OF_OWNER} AND deleted_at IS NULL AND ${wasAudited}`,
      )
      .bind(type, id, auditRow.id, now),
    db
      .prepare(
        `UPDATE webhooks SET url = 'sealed://' || ${HOST} || '/',
           target = json_object('masked', ${HOST} || '/…', 'fingerprint', '', 'sealed', '')
         WHERE ${OF_OWNER} AND ${wasAudited}`,
      )
      .bind(type, id, auditRow.id),
    endReplaysOfOwner(db, { type, id }, now),
  ]);
}
