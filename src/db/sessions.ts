/** Sessions of people in the console. */
import { and, desc, eq, gt, isNull, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, insertAuditIfChanged } from "./audit.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import { sessions } from "./schema.ts";

export type Session = typeof sessions.$inferSelect;

/** From the wire contract. */
export const OWNERS_SESSION_MS = 8 * 3_600_000;
export const STAFF_SESSION_MS = 3_600_000;

export async function insertSession(db: D1Database, row: Session, auditRow: AuditRow): Promise<void> {
  const orm = drizzle(db);
  await orm.batch([orm.insert(sessions).values(row), insertAuditIfChanged(orm, auditRow)]);
}

/** Also returns a session that has ended. */
export async function getSession(db: D1Database, id: string): Promise<Session | null> {
  const [row] = await drizzle(db).select().from(sessions).where(eq(sessions.id, id));
  return row ?? null;
}

/** Null if it has ended. Reads from the primary, so that a session that was revoked ends with the next request. */
export async function findLiveSession(
  db: D1Database,
  tokenSha256: string,
  now: number,
): Promise<Session | null> {
  const [row] = await drizzle(db)
    .select()
    .from(sessions)
    .where(
      and(eq(sessions.token_sha256, tokenSha256), gt(sessions.expires_at, now), isNull(sessions.revoked_at)),
    );
  return row ?? null;
}

/** The sort key of lists. */
export type SessionPosition = [createdAt: number, id: string];

/**
 * Sessions after a position, newest first: an owner's, or everybody's and those of staff. Returns `limit + 1` rows if there are more.
 * Unless `endedToo`, only sessions in force.
 */
export function listSessions(
  db: D1Database,
  owner: OwnerAddress | null,
  { endedToo, now }: { endedToo: boolean; now: number },
  after: SessionPosition | null,
  limit: number,
): Promise<Session[]> {
  const { created_at, id, owner_type, owner_id, revoked_at, expires_at } = sessions;
  const inForce = and(
    // Bounds the part of the index that is read.
    gt(created_at, now - Math.max(OWNERS_SESSION_MS, STAFF_SESSION_MS)),
    gt(expires_at, now),
    isNull(revoked_at),
  );
  const [at, last] = after ?? [Number.MAX_SAFE_INTEGER, ""];
  return drizzle(db)
    .select()
    .from(sessions)
    .where(
      and(
        owner === null ? undefined : and(eq(owner_type, owner.type), eq(owner_id, owner.id)),
        endedToo ? undefined : inForce,
        sql`(${created_at}, ${id}) < (${at}, ${last})`,
      ),
    )
    .orderBy(desc(created_at), desc(id))
    .limit(limit + 1);
}

/** Ends the session. One that has ended stays as it is. */
export async function revokeSession(
  db: D1Database,
  id: string,
  auditRow: AuditRow,
  now: number,
): Promise<void> {
  const orm = drizzle(db);
  await orm.batch([
    orm
      .update(sessions)
      .set({ revoked_at: now })
      .where(and(eq(sessions.id, id), isNull(sessions.revoked_at), gt(sessions.expires_at, now))),
    insertAuditIfChanged(orm, auditRow),
  ]);
}
