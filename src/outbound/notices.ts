/**
 * Mail about deliveries that failed and webhooks that were disabled. Notices are rows until their mail has gone: at least
 * once, and many of one webhook in one mail, so that a dead endpoint does not fill a mailbox: the first failure is told at once,
 * those of the hour after it together.
 */
import * as z from "zod";
import type { Settings } from "../env.ts";
import { inParallel } from "../forwarding/parallel.ts";
import { logError } from "../log.ts";
import { deliveryId } from "./delivery-id.ts";

/** For so long after a mail about them, failed deliveries of a webhook gather for the next one. */
export const MAIL_INTERVAL_MS = 3_600_000;
/** Mails of one run of the minute cron, and of them at a time: if all of them hang, the run is over within the minute. */
const MAILS_PER_RUN = 20;
const MAILS_AT_A_TIME = 6;
/** A mail that is not taken by then is sent again later. */
const SEND_TIMEOUT_MS = 10_000;
/** Notices told by one mail. */
const NOTICES_PER_MAIL = 500;
/** Deliveries named in one mail; the portal lists all of them. */
const NAMED_PER_MAIL = 20;
const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 6 * 3_600_000;
/** After this, a notice that no mailbox takes is given up. */
const KEEP_MS = 7 * 86_400_000;

const noticeRow = z.object({
  id: z.number(),
  webhook_id: z.string(),
  kind: z.enum(["delivery_failed", "webhook_disabled"]),
  event_seq: z.number().nullable(),
  reason: z.string(),
  tries: z.number(),
  url: z.string(),
  notification_email: z.string().nullable(),
});
type Notice = z.infer<typeof noticeRow>;

export interface Mail {
  subject: string;
  text: string;
}

/**
 * Sends what is due. One mail that cannot be sent, or does not end, keeps no other waiting: it is sent again, also where it
 * goes out after all. Rejects when D1 does not answer.
 */
export async function sendNotices(
  env: { DB: D1Database; EMAIL: SendEmail },
  settings: Pick<Settings, "emailFrom" | "operatorsEmail">,
  now: number,
  timeoutMs = SEND_TIMEOUT_MS,
): Promise<void> {
  await giveUp(env.DB, now);
  const subjects = await dueSubjects(env.DB, now);
  await inParallel(subjects, MAILS_AT_A_TIME, async ({ webhook_id: webhookId, kind }) => {
    const notices = await noticesOf(env.DB, webhookId, kind, now);
    const [first] = notices;
    if (first === undefined) return;
    const to = first.notification_email ?? settings.operatorsEmail;
    try {
      await within(timeoutMs, env.EMAIL.send({ from: settings.emailFrom, to, ...mailOf(notices) }));
    } catch (error) {
      logError("a mail was not sent", { webhook_id: webhookId, notices: notices.length }, error);
      await postpone(env.DB, notices, now);
      return;
    }
    await told(env.DB, { webhookId, kind, notices }, now);
  });
}

/** Rejects when `work` takes longer. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no end within ${ms} ms`)), ms);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The mail that tells notices of one webhook and one kind. */
export function mailOf(notices: readonly Notice[]): Mail {
  const [first] = notices;
  if (first === undefined) throw new Error("a mail tells of at least one notice");
  const endpoint = `Webhook wh_${first.webhook_id} (${new URL(first.url).host})`;
  if (first.kind === "webhook_disabled") {
    return {
      subject: `Webhook disabled: ${new URL(first.url).host}`,
      text: `${endpoint} was disabled: ${DISABLED_BECAUSE[first.reason] ?? first.reason}.

Events are kept while it is disabled. Mend the endpoint, set the webhook's status to active, and replay the time range that it missed.
`,
    };
  }
  const ids = notices.flatMap(({ event_seq: eventSeq, webhook_id: webhookId, reason }) =>
    eventSeq === null ? [] : [`${deliveryId({ webhookId, eventSeq })}  ${reason}`],
  );
  const named = ids.slice(0, NAMED_PER_MAIL);
  const others = ids.length - named.length;
  return {
    subject: `${ids.length === 1 ? "A delivery" : `${ids.length} deliveries`} failed: ${new URL(first.url).host}`,
    text: `${endpoint} did not get ${ids.length === 1 ? "an event" : `${ids.length} events`}, and the last retry has failed:

${named.join("\n")}${others > 0 ? `\n… and ${others} more` : ""}

Nothing is lost: retry single deliveries or replay a time range once the endpoint works.
`,
  };
}

const DISABLED_BECAUSE: Record<string, string> = {
  gone: "it answered 410 Gone",
  failing: "for five days every attempt has failed",
};

async function dueSubjects(
  db: D1Database,
  now: number,
): Promise<{ webhook_id: string; kind: Notice["kind"] }[]> {
  const { results } = await db
    .prepare(
      `SELECT webhook_id, kind FROM (SELECT webhook_id, kind, due_at FROM notices WHERE due_at <= ? ORDER BY due_at LIMIT ?)
       GROUP BY webhook_id, kind ORDER BY min(due_at) LIMIT ?`,
    )
    .bind(now, MAILS_PER_RUN * NOTICES_PER_MAIL, MAILS_PER_RUN)
    .all<{ webhook_id: string; kind: Notice["kind"] }>();
  return results;
}

async function noticesOf(
  db: D1Database,
  webhookId: string,
  kind: Notice["kind"],
  now: number,
): Promise<Notice[]> {
  const { results } = await db
    .prepare(
      `SELECT n.id, n.webhook_id, n.kind, n.event_seq, n.reason, n.tries, w.url, w.notification_email
       FROM notices n JOIN webhooks w ON w.id = n.webhook_id
       WHERE n.due_at <= ?3 AND n.webhook_id = ?1 AND n.kind = ?2 ORDER BY n.due_at, n.id LIMIT ${NOTICES_PER_MAIL}`,
    )
    .bind(webhookId, kind, now)
    .all();
  return results.map((row) => noticeRow.parse(row));
}

async function postpone(db: D1Database, notices: readonly Notice[], now: number): Promise<void> {
  const tries = Math.max(...notices.map((notice) => notice.tries)) + 1;
  const dueAt = now + Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries - 1, 20));
  await db
    .prepare("UPDATE notices SET tries = ?2, due_at = ?3 WHERE id IN (SELECT value FROM json_each(?1))")
    .bind(idsOf(notices), tries, dueAt)
    .run();
}

async function told(
  db: D1Database,
  { webhookId, kind, notices }: { webhookId: string; kind: Notice["kind"]; notices: readonly Notice[] },
  now: number,
): Promise<void> {
  await db.batch([
    db.prepare("DELETE FROM notices WHERE id IN (SELECT value FROM json_each(?1))").bind(idsOf(notices)),
    db
      .prepare("UPDATE webhooks SET mailed_at = ?2 WHERE id = ?1 AND ?3 = 'delivery_failed'")
      .bind(webhookId, now, kind),
  ]);
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
