/**
 * The notices that wait for their mail, one row each. Notices of the same webhook and kind share a mail, so that a dead endpoint does
 * not fill a mailbox: the first failed delivery is mailed at once, those of the following hour together.
 *
 * A sender claims the notices of a mail first, so that two crons at once send it once. A mail goes out twice only if its sender died
 * before it recorded the mail as sent; then the claim expires.
 */

import * as z from "zod";
import { lastFailureColumn } from "../db/json-column.ts";
import { NOTICE_KINDS } from "../db/schema.ts";
import { logError } from "../log.ts";
import { storedTarget } from "./sealed-url.ts";

/** For this long after a mail about them, failed deliveries of a webhook are collected for the next mail. */
export const MAIL_INTERVAL_MS = 3_600_000;
/** Longer than any cron that sends mails lives. */
const CLAIM_MS = 20 * 60_000;
const NOTICES_PER_MAIL = 500;
const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 6 * 3_600_000;
/** After this, a notice whose mail cannot be sent is dropped. */
const KEEP_MS = 7 * 86_400_000;

const noticeRow = z.object({
  id: z.number(),
  event_seq: z.number().nullable(),
  reason: z.string(),
  tries: z.number(),
  created_at: z.number(),
});
type Notice = z.infer<typeof noticeRow>;

const webhookRow = z.object({
  url: z.string(),
  target: storedTarget,
  notification_email: z.string().nullable(),
  status: z.string(),
  deleted_at: z.number().nullable(),
  failing_since: z.number().nullable(),
  last_failure: lastFailureColumn,
});

const noticeGroupRow = z.object({ webhook_id: z.string(), kind: z.enum(NOTICE_KINDS) });
/** The notices of one webhook and kind. */
export type NoticeGroup = z.infer<typeof noticeGroupRow>;

export interface ClaimedNotices extends NoticeGroup {
  /** Oldest first. */
  notices: Notice[];
  /** The webhook as it was when the notices were claimed. */
  webhook: z.infer<typeof webhookRow>;
}

/** The groups that are due, the longest waiting first. */
export async function dueNoticeGroups(db: D1Database, limit: number, now: number): Promise<NoticeGroup[]> {
  const { results } = await db
    .prepare(
      `SELECT webhook_id, kind FROM (SELECT webhook_id, kind, due_at FROM notices WHERE due_at <= ? ORDER BY due_at LIMIT ?)
       GROUP BY webhook_id, kind ORDER BY min(due_at) LIMIT ?`,
    )
    .bind(now, limit * NOTICES_PER_MAIL, limit)
    .all();
  return results.map((row) => noticeGroupRow.parse(row));
}

/** Null if another cron has claimed them, or the webhook has no row. */
export async function claimNotices(
  db: D1Database,
  group: NoticeGroup,
  now: number,
): Promise<ClaimedNotices | null> {
  const { webhook_id: webhookId, kind } = group;
  const [claimed, found] = await db.batch([
    db
      .prepare(
        `UPDATE notices SET due_at = ?4, tries = tries + 1 WHERE id IN (
           SELECT id FROM notices WHERE due_at <= ?3 AND webhook_id = ?1 AND kind = ?2
           ORDER BY due_at, id LIMIT ${NOTICES_PER_MAIL})
         RETURNING id, event_seq, reason, tries, created_at`,
      )
      .bind(webhookId, kind, now, now + CLAIM_MS),
    db
      .prepare(
        "SELECT url, target, notification_email, status, deleted_at, failing_since, last_failure FROM webhooks WHERE id = ?",
      )
      .bind(webhookId),
  ]);
  const notices = (claimed?.results ?? []).map((row) => noticeRow.parse(row)).sort((a, b) => a.id - b.id);
  const [webhook] = (found?.results ?? []).map((row) => webhookRow.parse(row));
  return notices.length === 0 || webhook === undefined ? null : { ...group, notices, webhook };
}

/** The mail is tried again after a delay that doubles with each try. */
export async function postponeNotices(
  db: D1Database,
  { notices }: ClaimedNotices,
  now: number,
): Promise<void> {
  const tries = Math.max(...notices.map((notice) => notice.tries));
  const dueAt = now + Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries - 1, 20));
  await db
    .prepare("UPDATE notices SET tries = ?2, due_at = ?3 WHERE id IN (SELECT value FROM json_each(?1))")
    .bind(idsOf(notices), tries, dueAt)
    .run();
}

/** Notices whose mail was sent, but could not be recorded as sent. The isolate's next cron records them instead of mailing again. */
const unrecorded = new Set<string>();

export function areSentUnrecorded(claimed: ClaimedNotices): boolean {
  return keysOf(claimed).some((key) => unrecorded.has(key));
}

export async function recordSent(db: D1Database, claimed: ClaimedNotices, now: number): Promise<void> {
  for (const key of keysOf(claimed)) unrecorded.add(key);
  await db.batch(sentStatements(db, claimed, now));
  for (const key of keysOf(claimed)) unrecorded.delete(key);
}

/** The id alone is not enough: SQLite reuses the id of a deleted row. */
function keysOf({ webhook_id: webhookId, notices }: ClaimedNotices): string[] {
  return notices.map(({ id, created_at: createdAt }) => `${webhookId} ${id} ${createdAt}`);
}

function sentStatements(
  db: D1Database,
  { webhook_id: id, kind, notices }: ClaimedNotices,
  now: number,
): D1PreparedStatement[] {
  const statements = [deletion(db, notices)];
  if (kind === "delivery_failed")
    statements.push(db.prepare("UPDATE webhooks SET mailed_at = ?2 WHERE id = ?1").bind(id, now));
  if (kind === "endpoint_failing" || kind === "webhook_disabled") {
    const noticedAt = notices.at(-1)?.created_at ?? now;
    statements.push(
      db
        .prepare(
          `UPDATE webhooks SET failure_mailed_at = ?2
           WHERE id = ?1 AND (failing_since IS NOT NULL OR coalesce(last_success_at, 0) < ?3)`,
        )
        .bind(id, now, noticedAt),
      // For an endpoint that recovered while the mail was being sent.
      db
        .prepare(
          `INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries)
           SELECT id, 'endpoint_recovered', NULL, '', ?2, ?2, 0 FROM webhooks
           WHERE id = ?1 AND failing_since IS NULL AND last_success_at >= ?3`,
        )
        .bind(id, now, noticedAt),
    );
  }
  return statements;
}

export async function deleteNotices(db: D1Database, { notices }: ClaimedNotices): Promise<void> {
  await deletion(db, notices).run();
}

function deletion(db: D1Database, notices: readonly Notice[]): D1PreparedStatement {
  return db.prepare("DELETE FROM notices WHERE id IN (SELECT value FROM json_each(?1))").bind(idsOf(notices));
}

/** Drops notices that are too old. The deliveries and webhooks that they are about still show what happened. */
export async function dropOldNotices(db: D1Database, now: number): Promise<void> {
  const { meta } = await db
    .prepare("DELETE FROM notices WHERE due_at <= ?1 AND created_at < ?2")
    .bind(now, now - KEEP_MS)
    .run();
  if (meta.changes > 0) logError("dropped notices whose mail could not be sent", { notices: meta.changes });
}

function idsOf(notices: readonly Notice[]): string {
  return JSON.stringify(notices.map(({ id }) => id));
}
