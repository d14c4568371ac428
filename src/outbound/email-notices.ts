/**
 * Mails about failed deliveries and about the state of endpoints. {@link file://./notice-store.ts} keeps the notices until their mail
 * has been sent, {@link file://./mail-text.ts} writes the mails.
 */

import type { Bindings } from "../bindings.ts";
import { unbounded } from "../bounded.ts";
import { inParallel } from "../concurrency.ts";
import type { Settings } from "../env.ts";
import { logError } from "../log.ts";
import { FAILURE_LEVELS } from "./auto-disable.ts";
import { mailOf } from "./mail-text.ts";
import {
  areSentUnrecorded,
  type ClaimedNotices,
  claimNotices,
  deleteNotices,
  dropOldNotices,
  dueNoticeGroups,
  postponeNotices,
  recordSent,
} from "./notice-store.ts";
import { maskedUrl } from "./sealed-url.ts";

/** Per run of the minute cron, and of those at a time: if every mail hangs, the run still ends within the minute. */
const MAILS_PER_RUN = 20;
const MAILS_AT_A_TIME = 6;
/** A mail that the mail service has not accepted by then is sent again later, unless it turns out to have been accepted. */
const SEND_TIMEOUT_MS = 10_000;

type Senders = Pick<Settings, "emailFrom" | "operatorsEmail">;

/**
 * Sends the mails that are due. A mail that fails or hangs does not delay the others; it is sent again, unless the service
 * turns out to have accepted it. Rejects if D1 does not respond.
 */
export async function sendNotices(
  env: Bindings,
  settings: Senders,
  now: number,
  timeoutMs = SEND_TIMEOUT_MS,
): Promise<void> {
  await dropOldNotices(env.DB, now);
  const groups = await dueNoticeGroups(env.DB, MAILS_PER_RUN, now);
  await inParallel(groups, MAILS_AT_A_TIME, async (group) => {
    const claimed = await claimNotices(env.DB, group, now);
    if (claimed === null) return;
    try {
      if (isObsolete(claimed)) await deleteNotices(env.DB, claimed);
      else if (areSentUnrecorded(claimed)) await recordSent(env.DB, claimed, now);
      else await send(env, settings, claimed, now, timeoutMs);
    } catch (error) {
      logError("failed to record the result of a mail", { ...group }, error);
    }
  });
}

/**
 * Whether the mail would give outdated advice: the endpoint has succeeded since or is no longer tried, the events no longer wait,
 * or the webhook has been deleted.
 */
function isObsolete({ kind, notices, webhook }: ClaimedNotices): boolean {
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
  claimed: ClaimedNotices,
  now: number,
  timeoutMs: number,
): Promise<void> {
  const { webhook_id: webhookId, kind, notices, webhook } = claimed;
  const fields = { webhook_id: webhookId, kind, notices: notices.length };
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
    const text = to === named || named === null ? mail.text : `${mail.text}${REDIRECTED}`;
    // The deadline is here and not in the binding, so that a mail accepted late is noticed.
    const sending = (async () =>
      unbounded(env).EMAIL.send({ from: emailFrom, to, subject: mail.subject, text }))();
    try {
      await within(timeoutMs, sending);
    } catch (error) {
      if (error instanceof MailTimeout) {
        logError("failed to send a mail in time", fields, error);
        recordIfAcceptedLate(sending, () => recordSent(env.DB, claimed, now));
        return postponeNotices(env.DB, claimed, now);
      }
      if (!isRefusedForGood(error)) {
        logError("failed to send a mail", fields, error);
        return postponeNotices(env.DB, claimed, now);
      }
      const recipient = to === operatorsEmail ? "operators" : "webhook";
      logError(
        "failed to send a mail: the mail service permanently rejects the recipient",
        { ...fields, address: recipient },
        error,
      );
      continue;
    }
    return recordSent(env.DB, claimed, now);
  }
  logError("dropped a mail: the mail service permanently rejects the operators' address", fields);
  await deleteNotices(env.DB, claimed);
}

/** Appended to a mail that goes to the operators instead of the webhook's address. */
const REDIRECTED = `
You receive this mail because the mail service permanently rejects the webhook's notification_email. Change that address, or verify it with the mail service.
`;

/** The mail service's error codes for a recipient that it will never accept. */
const REFUSED_CODE = /^E_(?:RECIPIENT|DESTINATION|ADDRESS)_|^E_VALIDATION_ERROR$/;
/** Its messages for the same errors if it gives no code. */
const REFUSED_MESSAGE = /(?:destination|recipient)\b.*\bnot\b.*\b(?:verified|allowed)/i;

/** Whether the recipient will never be accepted: not verified, not allowed, suppressed after a bounce, or not an address. */
export function isRefusedForGood(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  return code === null ? REFUSED_MESSAGE.test(error.message) : REFUSED_CODE.test(code);
}

class MailTimeout extends Error {}

/** Rejects with {@link MailTimeout} when `work` takes longer. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new MailTimeout(`not accepted within ${ms} ms`)), ms);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A mail that is accepted late must not be sent again; this works only as long as the invocation lives. */
function recordIfAcceptedLate(sending: Promise<unknown>, record: () => Promise<void>): void {
  sending.then(record).catch((error: unknown) => logError("failed to send or record a late mail", {}, error));
}
