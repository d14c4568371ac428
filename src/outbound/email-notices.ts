/**
 * Mail about deliveries that failed and about how endpoints are doing. Notices are rows until their mail has gone, and many of one
 * webhook and kind go in one mail, so that a dead endpoint does not fill a mailbox: the first failed delivery is told at once,
 * those of the hour after it together.
 *
 * Whoever sends a mail claims its notices first, so that two crons at once send it once. Only a mail whose sender died before it
 * could record that it was sent goes out again, when the claim ends.
 */
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { unbounded } from "../bounded.ts";
import { inParallel } from "../concurrency.ts";
import { NOTICE_KINDS } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { logError } from "../log.ts";
import { FAILURE_LEVELS } from "./auto-disable.ts";
import { mailOf } from "./mail-text.ts";
import { maskedUrl, storedTarget } from "./sealed-url.ts";

/** For so long after a mail about them, failed deliveries of a webhook gather for the next one. */
export const MAIL_INTERVAL_MS = 3_600_000;
/** Mails of one run of the minute cron, and of them at a time: if all of them hang, the run is over within the minute. */
const MAILS_PER_RUN = 20;
const MAILS_AT_A_TIME = 6;
/** A mail that is not taken by then is sent again later, unless it turns out to have been taken. */
const SEND_TIMEOUT_MS = 10_000;
/** Longer than any cron that sends mails lives. */
const CLAIM_MS = 20 * 60_000;
/** Notices told by one mail. */
const NOTICES_PER_MAIL = 500;
const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 6 * 3_600_000;
/** After this, a notice that no mailbox takes is given up. */
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
  last_failure: z
    .string()
    .nullable()
    .transform((text): unknown => (text === null ? null : JSON.parse(text)))
    .pipe(z.object({ kind: z.string(), status: z.number().nullable(), bot_wall: z.boolean() }).nullable()),
});

const subjectRow = z.object({ webhook_id: z.string(), kind: z.enum(NOTICE_KINDS) });
type Subject = z.infer<typeof subjectRow>;

interface Claimed extends Subject {
  notices: Notice[];
  webhook: z.infer<typeof webhookRow>;
}

type Senders = Pick<Settings, "emailFrom" | "operatorsEmail">;

/**
 * Sends what is due. One mail that cannot be sent, or does not end, keeps no other waiting: it is sent again, also where it
 * goes out after all. Rejects when D1 does not answer.
 */
export async function sendNotices(
  env: Bindings,
  settings: Senders,
  now: number,
  timeoutMs = SEND_TIMEOUT_MS,
): Promise<void> {
  await giveUp(env.DB, now);
  const subjects = await dueSubjects(env.DB, now);
  await inParallel(subjects, MAILS_AT_A_TIME, async (subject) => {
    const claimed = await claim(env.DB, subject, now);
    if (claimed === null) return;
    try {
      if (isUntrue(claimed)) await forget(env.DB, claimed);
      else if (keysOf(claimed).some((key) => unrecorded.has(key))) await recordSent(env.DB, claimed, now);
      else await send(env, settings, claimed, now, timeoutMs);
    } catch (error) {
      logError("what became of a mail was not recorded", { ...subject }, error);
    }
  });
}

/**
 * A notice whose mail would advise what is no longer to be done: of an endpoint that has succeeded since or is no longer tried,
 * of events that no longer wait, or of a webhook that has been deleted.
 */
function isUntrue({ kind, notices, webhook }: Claimed): boolean {
  const { status, failing_since: since } = webhook;
  if (kind === "delivery_failed") return false;
  if (webhook.deleted_at !== null) return true;
  if (kind === "events_expiring") return status !== "paused";
  if (kind !== "endpoint_failing") return false;
  const noticedAt = notices.at(-1)?.created_at ?? 0;
  return status !== "active" || since === null || since > noticedAt - FAILURE_LEVELS[0].afterMs;
}

async function send(
  env: Bindings,
  { emailFrom, operatorsEmail }: Senders,
  claimed: Claimed,
  now: number,
  timeoutMs: number,
): Promise<void> {
  const { webhook_id: webhookId, kind, notices, webhook } = claimed;
  const about = { webhook_id: webhookId, kind, notices: notices.length };
  const mail = mailOf({
    webhookId,
    host: new URL(webhook.url).host,
    masked: maskedUrl(webhook),
    kind,
    failingSince: webhook.failing_since,
    lastFailure: webhook.last_failure,
    notices,
  });
  const named = webhook.notification_email;
  for (const to of named === null || named === operatorsEmail ? [operatorsEmail] : [named, operatorsEmail]) {
    const text = to === named || named === null ? mail.text : `${mail.text}${REPLACED}`;
    // Bounded here: a mail that is taken late is noticed.
    const sending = (async () =>
      unbounded(env).EMAIL.send({ from: emailFrom, to, subject: mail.subject, text }))();
    try {
      await within(timeoutMs, sending);
    } catch (error) {
      if (error instanceof MailTimeout) {
        logError("a mail was not taken in time", about, error);
        recordIfLate(sending, () => recordSent(env.DB, claimed, now));
        return postpone(env.DB, notices, now);
      }
      if (!isRefusedForGood(error)) {
        logError("a mail was not sent", about, error);
        return postpone(env.DB, notices, now);
      }
      const whose = to === operatorsEmail ? "operators" : "webhook";
      logError("the mail service refuses an address for good", { ...about, address: whose }, error);
      continue;
    }
    return recordSent(env.DB, claimed, now);
  }
  logError("gave up a mail: the mail service refuses the operators' address", about);
  await forget(env.DB, claimed);
}

/** Follows the text of a mail that comes to the operators in another's place. */
const REPLACED = `
This mail comes to you because the mail service refuses the webhook's notification_email for good. Change it, or verify it there.
`;

/** Codes of the mail service that no repetition changes, as far as they are about who a mail is to. */
const REFUSED_CODE = /^E_(?:RECIPIENT|DESTINATION|ADDRESS)_|^E_VALIDATION_ERROR$/;
/** What it says where it gives no code. */
const REFUSED_MESSAGE = /(?:destination|recipient)\b.*\bnot\b.*\b(?:verified|allowed)/i;

/** Whether the address will never be sent to: not verified, not allowed, suppressed after a bounce, or no address at all. */
export function isRefusedForGood(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  return code === null ? REFUSED_MESSAGE.test(error.message) : REFUSED_CODE.test(code);
}

class MailTimeout extends Error {}

/** Rejects when `work` takes longer. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new MailTimeout(`no end within ${ms} ms`)), ms);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** What was taken after all is not to be sent again, if its end can still be seen. */
function recordIfLate(sending: Promise<unknown>, record: () => Promise<void>): void {
  sending.then(record).catch((error: unknown) => logError("a late mail was not taken", {}, error));
}

async function dueSubjects(db: D1Database, now: number): Promise<Subject[]> {
  const { results } = await db
    .prepare(
      `SELECT webhook_id, kind FROM (SELECT webhook_id, kind, due_at FROM notices WHERE due_at <= ? ORDER BY due_at LIMIT ?)
       GROUP BY webhook_id, kind ORDER BY min(due_at) LIMIT ?`,
    )
    .bind(now, MAILS_PER_RUN * NOTICES_PER_MAIL, MAILS_PER_RUN)
    .all();
  return results.map((row) => subjectRow.parse(row));
}

/** Null where somebody else has claimed them, or the webhook has no row. */
async function claim(db: D1Database, subject: Subject, now: number): Promise<Claimed | null> {
  const { webhook_id: webhookId, kind } = subject;
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
  return notices.length === 0 || webhook === undefined ? null : { ...subject, notices, webhook };
}

async function postpone(db: D1Database, notices: readonly Notice[], now: number): Promise<void> {
  const tries = Math.max(...notices.map((notice) => notice.tries));
  const dueAt = now + Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries - 1, 20));
  await db
    .prepare("UPDATE notices SET tries = ?2, due_at = ?3 WHERE id IN (SELECT value FROM json_each(?1))")
    .bind(idsOf(notices), tries, dueAt)
    .run();
}

/** Notices whose mail has gone, which D1 has not been told. The next cron of this isolate records them and sends nothing. */
const unrecorded = new Set<string>();

async function recordSent(db: D1Database, claimed: Claimed, now: number): Promise<void> {
  for (const key of keysOf(claimed)) unrecorded.add(key);
  await db.batch(sent(db, claimed, now));
  for (const key of keysOf(claimed)) unrecorded.delete(key);
}

/** SQLite gives the number of a deleted row to another one. */
function keysOf({ webhook_id: webhookId, notices }: Claimed): string[] {
  return notices.map(({ id, created_at: createdAt }) => `${webhookId} ${id} ${createdAt}`);
}

function sent(
  db: D1Database,
  { webhook_id: id, kind, notices }: Claimed,
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
      // One that has recovered while the mail was sent.
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

async function forget(db: D1Database, { notices }: Claimed): Promise<void> {
  await deletion(db, notices).run();
}

function deletion(db: D1Database, notices: readonly Notice[]): D1PreparedStatement {
  return db.prepare("DELETE FROM notices WHERE id IN (SELECT value FROM json_each(?1))").bind(idsOf(notices));
}

/** The deliveries and webhooks they are about still show what happened. */
async function giveUp(db: D1Database, now: number): Promise<void> {
  const { meta } = await db
    .prepare("DELETE FROM notices WHERE due_at <= ?1 AND created_at < ?2")
    .bind(now, now - KEEP_MS)
    .run();
  if (meta.changes > 0) logError("notices were given up", { notices: meta.changes });
}

function idsOf(notices: readonly Notice[]): string {
  return JSON.stringify(notices.map(({ id }) => id));
}
