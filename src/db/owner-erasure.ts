/** What erasing an owner's outbound data changes in the rows: when it is due, and at last what rests under its key. */
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, asStatement, insertAuditIfChanged } from "./audit.ts";
import { endReplaysOfOwner } from "./ended-replays.ts";
import type { OwnerAddress } from "./owner-keys.ts";

const OF_OWNER = "owner_type = ?1 AND owner_id = ?2";

/**
 * Sets when the owner is erased and disables its webhooks, whose creation answers no secret from then on, or, with null, takes
 * the erasure back where it is not due yet; what is so already stays. Answers when it is erased as things are now; null where nothing of the owner is kept.
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

/** Owners that are to be erased now, the longest due of them first. */
export async function findOwnersToErase(db: D1Database, now: number, limit: number): Promise<OwnerAddress[]> {
  const { results } = await db
    .prepare(
      "SELECT owner_type AS type, owner_id AS id FROM owner_keys WHERE erase_at <= ? ORDER BY erase_at LIMIT ?",
    )
    .bind(now, limit)
    .all<OwnerAddress>();
  return results;
}

/** Deletes some events of the owner, at most `limit`, and answers how many. */
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

/** Every address has a host that ends in a slash, sealed or not. It is all that is kept of one. */
const AFTER_SCHEME = "substr(url, instr(url, '://') + 3)";
const HOST = `substr(${AFTER_SCHEME}, 1, instr(${AFTER_SCHEME}, '/') - 1)`;

/** Deletes the owner's key, the events that are left, its webhooks with what is sealed in them, and what it made by which key. */
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
