/** Links that let a person into the console. A link and the sessions that it made end together. */
import { and, desc, eq, gt, isNull, lt, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type AuditRow, insertAuditIfChanged, insertAuditWithCount } from "./audit.ts";
import { type Creation, endSecret, type Inserted, insertOnce, valuesIf } from "./creations.ts";
import type { OwnerAddress } from "./owner-keys.ts";
import { portalLinks, sessions } from "./schema.ts";
import type { Session } from "./sessions.ts";

export type PortalLink = typeof portalLinks.$inferSelect;
/** A link for an owner's person, as opposed to one for staff. */
export type OwnersLink = PortalLink & { owner_type: OwnerAddress["type"]; owner_id: string };

/** The longest time that a link of a deployed gateway is valid. From the wire contract. */
export const LONGEST_LINK_MS = 86_400_000;
/** A reusable link, which only a gateway for local development makes. */
export const LONGEST_REUSABLE_MS = 30 * 86_400_000;

/** Inserts only while the owner's key is the one that sealed the link's token. */
export function insertOwnersLink(
  db: D1Database,
  row: OwnersLink,
  auditRow: AuditRow,
  { creation, keyCreatedAt }: { creation: Creation | null; keyCreatedAt: number },
): Promise<Inserted> {
  const onlyIf = sql`EXISTS (SELECT 1 FROM owner_keys WHERE owner_type = ${row.owner_type} AND owner_id = ${row.owner_id}
    AND created_at = ${keyCreatedAt})`;
  return insertOnce(db, portalLinks, row, auditRow, { creation, onlyIf });
}

export async function insertStaffLink(db: D1Database, row: PortalLink, auditRow: AuditRow): Promise<void> {
  const orm = drizzle(db);
  await orm.batch([orm.insert(portalLinks).values(row), insertAuditIfChanged(orm, auditRow)]);
}

/** Also returns a link that has ended. */
export async function getPortalLink(db: D1Database, id: string): Promise<PortalLink | null> {
  const [row] = await drizzle(db).select().from(portalLinks).where(eq(portalLinks.id, id));
  return row ?? null;
}

export async function findPortalLink(db: D1Database, tokenSha256: string): Promise<PortalLink | null> {
  const [row] = await drizzle(db).select().from(portalLinks).where(eq(portalLinks.token_sha256, tokenSha256));
  return row ?? null;
}

/** The sort key of lists. */
export type LinkPosition = [createdAt: number, id: string];

/**
 * Links after a position, newest first: an owner's, or everybody's and those for staff. Returns `limit + 1` rows if there are more.
 * Unless `endedToo`, only links that can still make a session.
 */
export function listPortalLinks(
  db: D1Database,
  owner: OwnerAddress | null,
  { endedToo, now }: { endedToo: boolean; now: number },
  after: LinkPosition | null,
  limit: number,
): Promise<PortalLink[]> {
  const { created_at, id, owner_type, owner_id } = portalLinks;
  // The first condition bounds the part of the index that is read.
  const open = and(gt(created_at, now - LONGEST_REUSABLE_MS), isOpen(now));
  const [at, last] = after ?? [Number.MAX_SAFE_INTEGER, ""];
  return drizzle(db)
    .select()
    .from(portalLinks)
    .where(
      and(
        owner === null ? undefined : and(eq(owner_type, owner.type), eq(owner_id, owner.id)),
        endedToo ? undefined : open,
        sql`(${created_at}, ${id}) < (${at}, ${last})`,
      ),
    )
    .orderBy(desc(created_at), desc(id))
    .limit(limit + 1);
}

/** Whether a link can make a session. */
function isOpen(now: number) {
  return and(
    isNull(portalLinks.revoked_at),
    gt(portalLinks.expires_at, now),
    or(isNull(portalLinks.used_at), eq(portalLinks.reusable, true)),
  );
}

/**
 * Marks the link as used and starts its session. Of two concurrent calls for a link that is good for one session, one returns true
 * and the other changes nothing.
 */
export async function redeemPortalLink(
  db: D1Database,
  link: PortalLink,
  session: Session,
  auditRow: AuditRow,
): Promise<boolean> {
  const orm = drizzle(db);
  const [used] = await orm.batch([
    orm
      .update(portalLinks)
      .set({ used_at: session.created_at })
      .where(and(eq(portalLinks.id, link.id), isOpen(session.created_at)))
      .returning({ id: portalLinks.id }),
    orm.insert(sessions).select(valuesIf(sessions, session, sql`changes() = 1`)),
    insertAuditIfChanged(orm, auditRow),
  ]);
  return used.length === 1;
}

/**
 * Ends the link and the sessions that it made. Each of the two audit rows is written if there was something to end: `sessionsRow`
 * records how many sessions.
 */
export async function revokePortalLink(
  db: D1Database,
  { id, owner_type, owner_id }: PortalLink,
  { auditRow, sessionsRow }: { auditRow: AuditRow; sessionsRow: AuditRow },
  now: number,
): Promise<void> {
  const orm = drizzle(db);
  const owner = owner_type === null || owner_id === null ? null : { type: owner_type, id: owner_id };
  await orm.batch([
    orm
      .update(portalLinks)
      .set({ revoked_at: now })
      .where(and(eq(portalLinks.id, id), isNull(portalLinks.revoked_at))),
    insertAuditIfChanged(orm, auditRow),
    ...(owner === null ? [] : [endSecret(orm, owner, id, auditRow)]),
    orm
      .update(sessions)
      .set({ revoked_at: now })
      .where(and(eq(sessions.link_id, id), isNull(sessions.revoked_at), gt(sessions.expires_at, now))),
    insertAuditWithCount(orm, sessionsRow, "sessions"),
  ]);
}

/** Kept after their end, for lists and for the message that an old link gets. */
const KEEP_ENDED_MS = 30 * 86_400_000;
const PURGED_PER_RUN = 500;

/** Deletes links and sessions that expired long ago, few enough at a time not to slow D1 down. */
export async function purgeSessions(db: D1Database, now: number): Promise<void> {
  for (const table of [portalLinks, sessions]) {
    const old = drizzle(db)
      .select({ id: table.id })
      .from(table)
      .where(lt(table.expires_at, now - KEEP_ENDED_MS))
      .orderBy(table.expires_at)
      .limit(PURGED_PER_RUN);
    await drizzle(db).delete(table).where(sql`${table.id} IN ${old}`);
  }
}
