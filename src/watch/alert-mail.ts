/** The texts of mails about alerts. Pure. */
import { runbookOf, TITLES } from "./alert-kinds.ts";
import type { Alert } from "./alert-store.ts";
import { presentAlert } from "./present-alert.ts";

/** Alerts listed in one mail; the portal lists all of them. */
const LISTED_PER_MAIL = 20;

export interface AlertMail {
  subject: string;
  text: string;
}

/** Alerts of one kind. `redirected`: whether the mail was meant for a connection's own address. */
export function alertMailOf(
  alerts: readonly [Alert, ...Alert[]],
  { redirected }: { redirected: boolean },
): AlertMail {
  const [{ kind }] = alerts;
  const others = alerts.length - LISTED_PER_MAIL;
  return {
    subject: `Alert: ${TITLES[kind]}${alerts.length === 1 ? "" : ` (${alerts.length})`}`,
    text: `${TITLES[kind]}.

${alerts.slice(0, LISTED_PER_MAIL).map(line).join("\n")}${others > 0 ? `\n… and ${others} more` : ""}

What it means and what to do: ${runbookOf(kind)}
The alert resolves by itself. GET /api/v1/alerts lists all alerts.
${redirected ? REDIRECTED : ""}`,
  };
}

function line(alert: Alert): string {
  const { id, subject, facts, opened_at, resolved_at } = presentAlert(alert);
  const about =
    subject.kind === "gateway" ? "the gateway" : `${subject.kind.replace("_", " ")} ${subject.id}`;
  const details = Object.entries(facts).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
  const until = resolved_at === null ? "" : ` to ${resolved_at}`;
  return `${id}: ${[about, `since ${opened_at}${until}`, ...details].join(", ")}`;
}

const REDIRECTED = `
You receive this mail because the mail service permanently rejects the connection's notification_email. Change that address, or verify it with the mail service.
`;
