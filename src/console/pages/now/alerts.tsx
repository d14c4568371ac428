/** The open alerts: what each is about, what to do, and who looks after it. */
import type { AlertAnswer } from "../../../portal/alerts/alert-contract.ts";
import { usePage } from "../../page-state.ts";
import { Badge, type Meaning, sentence } from "../../parts/badge.tsx";
import { Link } from "../../parts/link.tsx";
import { Panel } from "../../parts/panels.tsx";
import { Prose } from "../../parts/prose.tsx";
import { Id, Instant, number, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { RUNBOOK } from "../../runbook.ts";
import { mayManage, VIEW_ONLY } from "../../session.ts";

type Kind = AlertAnswer["kind"];

/** Kinds that are not bad yet, or not any more. */
const MEANINGS: Partial<Record<Kind, Meaning>> = {
  webhook_half_way: "warning",
  webhook_most_of_the_way: "warning",
  webhook_recovered: "good",
  error_budget_half: "warning",
};
const WORDS: Partial<Record<Meaning, string>> = { bad: "Act", warning: "Watch", good: "Recovered" };

/** What owners can do. The runbook is written for operators. */
const ADVICE: Partial<Record<Kind, string>> = {
  report_waiting: "Nothing: the report is safe, and Audit1 looks after it.",
  refused_share:
    "Open the sender's requests: each refused one says why, and what to change. Usually a secret, a clock or a body has changed.",
  webhook_half_way: "Fix the endpoint. What it misses is kept for 90 days and can be sent again.",
  webhook_most_of_the_way: "Fix the endpoint soon. What it misses is kept for 90 days and can be sent again.",
  webhook_disabled: "Fix the endpoint, enable the webhook, and recover what it missed.",
  webhook_recovered: "Nothing. Deliveries that failed in the meantime can be sent again.",
};

export function Alerts({ alerts, hasMore }: { alerts: readonly AlertAnswer[]; hasMore: boolean }) {
  return (
    <Panel
      title="Open alerts"
      id="alerts"
      aside={
        <span class="quiet">
          {number(alerts.length)}
          {hasMore ? "+" : ""}
        </span>
      }
    >
      <ul class="alerts">
        {alerts.map((alert) => (
          <Alert alert={alert} />
        ))}
      </ul>
      {hasMore && <p class="quiet">The newest are shown. Older ones follow as these resolve.</p>}
    </Panel>
  );
}

function Alert({ alert }: { alert: AlertAnswer }) {
  const { session } = usePage();
  const meaning = MEANINGS[alert.kind] ?? "bad";
  return (
    <li class={meaning} data-key={alert.id} id={alert.id}>
      <div class="alert-head">
        <div class="alert-title">
          <Badge meaning={meaning}>{WORDS[meaning]}</Badge>
          <strong>{alert.title}</strong>
          <Subject alert={alert} />
        </div>
        <Acknowledgement alert={alert} />
      </div>
      <Facts alert={alert} />
      {session.owner === null ? <Runbook kind={alert.kind} /> : <p>{ADVICE[alert.kind]}</p>}
    </li>
  );
}

/** What the alert is about, and whose it is. */
export function Subject({ alert: { subject, owner_id: owner } }: { alert: AlertAnswer }) {
  const { session } = usePage();
  const { kind, id } = subject;
  if (kind === "gateway") return null;
  const href =
    kind === "connection"
      ? to.connection(id, { tab: "requests" })
      : kind === "webhook"
        ? to.webhook(id)
        : kind === "api_key"
          ? to.settings({ tab: "keys", key: `ak_${id}` })
          : null;
  return (
    <span class="subject">
      {href === null ? sentence(kind) : <Link href={href}>{sentence(kind)}</Link>} <Id id={id} />
      {session.owner === null && owner !== null && <span class="quiet"> of {owner}</span>}
    </span>
  );
}

/** Who looks after the alert, or a form that posts its id as `alert`. */
export function Acknowledgement({ alert }: { alert: AlertAnswer }) {
  const { session, url } = usePage();
  const by = alert.acknowledged_by;
  if (alert.acknowledged_at !== null)
    return (
      <span class="acknowledged quiet">
        {personIn(by)} looks after it since <Time at={alert.acknowledged_at} />
      </span>
    );
  const why = mayManage(session) ? null : VIEW_ONLY;
  return (
    <form
      method="post"
      action={`${url.pathname}${url.search}`}
      class="acknowledged"
      data-busy="Acknowledging…"
    >
      <input type="hidden" name="do" value="acknowledge" />
      <input type="hidden" name="alert" value={alert.id} />
      {why === null ? (
        <button type="submit">Acknowledge</button>
      ) : (
        <button type="button" aria-disabled="true" title={why}>
          Acknowledge<span class="unseen"> (not available: {why})</span>
        </button>
      )}
    </form>
  );
}

/** `access:jane@audit1.com` as `jane@audit1.com`. */
function personIn(actor: string | null): string {
  return actor?.replace(/^owner:/, "").replace(/^[a-z_]+:/, "") || "Somebody";
}

function Facts({ alert: { facts, opened_at: openedAt } }: { alert: AlertAnswer }) {
  const entries = Object.entries(facts);
  return (
    <p class="alert-facts">
      <span>
        Opened <Time at={openedAt} />
      </span>
      {entries.map(([name, value]) => (
        <span>
          {sentence(name)}{" "}
          {typeof value === "number" ? number(value) : isInstant(value) ? <Instant at={value} /> : value}
        </span>
      ))}
    </p>
  );
}

function isInstant(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text);
}

function Runbook({ kind }: { kind: Kind }) {
  const { means, look, act } = RUNBOOK[kind];
  return (
    <>
      <p>
        <Prose text={act ?? means} />
      </p>
      <details>
        <summary>What it means{look === null ? "" : ", and where to look"}</summary>
        <p>
          <Prose text={means} />
        </p>
        {look !== null && (
          <p>
            <b>Look at:</b> <Prose text={look} />
          </p>
        )}
      </details>
    </>
  );
}
