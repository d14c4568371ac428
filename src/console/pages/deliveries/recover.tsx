/**
 * Recover: sends many deliveries of an owner again. The dialog counts first, with the dry run of the call that it would make, and its
 * button makes that call for the same range. The run is a job, or a replay of one webhook, which has a page of its own.
 */
import type { Child } from "hono/jsx";
import type { ListCount } from "../../../db/list-count.ts";
import type { ShownJob } from "../../../portal/jobs/job-contract.ts";
import type { ShownReplay } from "../../../portal/webhooks/replay-contract.ts";
import type { Api, ApiResult, RefusedCall } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { type PageStatus, statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { usePage } from "../../page-state.ts";
import { ActionForm, Dialog } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { Notice } from "../../parts/panels.tsx";
import { Refused } from "../../parts/states.tsx";
import { Instant, number } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { mayManage } from "../../session.ts";

/** Events are kept for 90 days: nothing older can be sent. */
const OLDEST_MS = 90 * 86_400_000;

/**
 * `failed`: what failed. `undelivered`: what failed or was skipped. Of one webhook also `missed`: what failed, was skipped or was never
 * sent; and `all`: what was delivered, too.
 */
const CHOICES = ["failed", "undelivered", "missed", "all"] as const;
type Choice = (typeof CHOICES)[number];

const WORDS: Record<Choice, { label: string; hint: string }> = {
  failed: { label: "All that failed", hint: "Deliveries whose last retry failed." },
  undelivered: {
    label: "All that failed or were skipped",
    hint: "Skipped ones came while their webhook was disabled.",
  },
  missed: {
    label: "All that were missed",
    hint: "Failed and skipped ones, and events that were never sent because the webhook did not exist yet or did not ask for their type.",
  },
  all: {
    label: "Everything",
    hint: "Delivered ones, too. The receiver gets those a second time, with the same ids, and must drop them by id.",
  },
};

/** The deliveries that may be recovered: of one webhook or of all, within a range. */
export interface Target {
  webhookId: string | null;
  /** Filters that only a bulk retry has. */
  narrow: { type?: string | null; response_code?: string | null; error?: string | null };
  environment: string | null;
  /** ISO, or null for as far back as events are kept. */
  since: string | null;
  /** ISO, or null for now. */
  until: string | null;
}

export interface Recovery {
  target: Target;
  choice: Choice | null;
  /** Null before something was chosen. */
  counted: ApiResult<{ matched: ListCount }> | null;
  /** The range that was counted, and that is run. */
  since: string;
  until: string;
  refused: RefusedCall | null;
}

export function choicesFor({ webhookId, narrow }: Target): Choice[] {
  if (webhookId === null) return ["failed", "undelivered"];
  return Object.values(narrow).some(Boolean) ? ["failed", "undelivered"] : ["failed", "missed", "all"];
}

function requestOf(choice: Choice, { webhookId, narrow, environment }: Target, range: object) {
  if (choice === "missed" || choice === "all")
    return {
      path: `/webhooks/${webhookId}/replay`,
      body: { ...range, only: choice === "all" ? "all" : "failed" },
    };
  const { response_code: code, ...others } = narrow;
  const given = {
    webhook_id: webhookId,
    environment,
    ...others,
    response_code: code ? Number(code) : null,
    status: choice === "failed" ? "failed" : null,
  };
  const named = Object.entries(given).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  return { path: "/deliveries/retry", body: { ...Object.fromEntries(named), ...range } };
}

function rangeOf({ since, until }: Target, now: number) {
  return {
    since: since ?? new Date(now - OLDEST_MS).toISOString(),
    until: until ?? new Date(now).toISOString(),
  };
}

/** What the dialog shows. Null while the address does not open it, and for people who may not change anything. */
export async function recoveryOf(c: ConsoleContext, target: Target): Promise<Recovery | null> {
  const query = new URL(c.req.url).searchParams;
  if (query.get("do") !== "recover" || !mayManage(c.get("session"))) return null;
  const range = rangeOf(target, c.env.startedAt);
  const choice = choicesFor(target).find((each) => each === query.get("what")) ?? null;
  const counted = choice === null ? null : await count(c.get("api"), choice, target, range);
  return { target, choice, counted, ...range, refused: null };
}

function count(api: Api, choice: Choice, target: Target, range: object) {
  const { path, body } = requestOf(choice, target, range);
  return api.send<{ matched: ListCount }>("POST", path, { body: { ...body, dry_run: true } });
}

/**
 * Runs what the form names, and leads to its progress. Returns the dialog if the API refuses, with the reason, and if the form does not
 * name a choice.
 */
export async function runRecovery(
  c: ConsoleContext,
  target: Target,
  form: Record<string, string>,
): Promise<Response | Recovery> {
  const choice = choicesFor(target).find((each) => each === form.what) ?? null;
  const { since, until } = rangeOf(
    { ...target, since: form.since ?? target.since, until: form.until ?? target.until },
    c.env.startedAt,
  );
  if (choice === null) return { target, choice, counted: null, since, until, refused: null };
  const { path, body } = requestOf(choice, target, { since, until });
  const begun = await c.get("api").send<{ job: ShownJob } | { replay: ShownReplay }>("POST", path, { body });
  if (!begun.ok) return { target, choice, counted: null, since, until, refused: begun };
  const at =
    "job" in begun.body
      ? to.job(begun.body.job.id, { done: "begun" })
      : to.job(begun.body.replay.id, { webhook: begun.body.replay.webhookId, done: "begun" });
  return c.redirect(withScope(at, c.get("scope")), 303);
}

/** Of the page whose form began nothing: the API's, or that of a form without a choice. */
export function statusOfRun({ refused }: Recovery): PageStatus {
  return refused === null ? 400 : statusOfRefused(refused);
}

interface DialogProps {
  recovery: Recovery;
  /** Parameters of the address that the form of choices keeps. */
  keep: readonly string[];
  /** Fields that change the range; none where it is fixed. */
  children?: Child;
  /** Where a fixed range begins: ", from this one on". */
  from?: string;
}

export function RecoverDialog({ recovery, keep, children, from = "" }: DialogProps) {
  const { url, scope } = usePage();
  const { target, choice, counted, since, until, refused } = recovery;
  const kept = new URL(withScope(url.pathname, scope), url).searchParams;
  for (const name of keep) {
    const value = url.searchParams.get(name);
    if (value) kept.set(name, value);
  }
  return (
    <Dialog name="recover" title="Send deliveries again">
      {refused !== null && <RefusedRun refused={refused} webhookId={target.webhookId} />}
      <form method="get" action={url.pathname} class="fields">
        {[...kept, ["do", "recover"]].map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <fieldset>
          <legend>Which ones{from}?</legend>
          {choicesFor(target).map((each) => (
            <label class="choice">
              <input type="radio" name="what" value={each} checked={each === choice} required />
              <span>
                {WORDS[each].label}
                <br />
                <span class="quiet small">{WORDS[each].hint}</span>
              </span>
            </label>
          ))}
        </fieldset>
        {children}
        <p>
          <button type="submit" class={counted === null ? "primary" : undefined}>
            {counted === null ? "Count them" : "Count again"}
          </button>
        </p>
      </form>
      {counted !== null && choice !== null && (
        <Counted counted={counted} choice={choice} since={since} until={until} />
      )}
    </Dialog>
  );
}

function Counted({
  counted,
  choice,
  since,
  until,
}: {
  counted: ApiResult<{ matched: ListCount }>;
  choice: Choice;
  since: string;
  until: string;
}) {
  if (!counted.ok) return <Refused error={counted.error} what="They could not be counted." />;
  const { matched } = counted.body;
  const range = (
    <>
      from <Instant at={since} /> to <Instant at={until} />
    </>
  );
  if (matched === 0)
    return (
      <Notice meaning="good">
        <p>There is nothing to send again {range}. What waits to be sent is not counted.</p>
      </Notice>
    );
  const shown = typeof matched === "number" ? number(matched) : matched;
  return (
    <Notice meaning="warning">
      <p>
        <strong>{shown}</strong> {matched === 1 ? "delivery" : "deliveries"} {range}.
      </p>
      <p class="quiet">
        They are queued in the background, no faster than their endpoints answer. You can cancel: what is
        queued by then is still sent.
      </p>
      <ActionForm
        hidden={{ do: "recover", what: choice, since, until }}
        submit={matched === 1 ? "Send it again" : `Send ${shown} again`}
        busy="Starting…"
      />
    </Notice>
  );
}

/** Names what runs already, where that is the reason. */
function RefusedRun({ refused: { error }, webhookId }: { refused: RefusedCall; webhookId: string | null }) {
  const running = error.details?.replay_id;
  return (
    <>
      <Refused error={error} what="Nothing was sent." />
      {typeof running === "string" && webhookId !== null && (
        <p>
          <Link href={to.job(running, { webhook: webhookId })}>Show the replay that is running</Link>
        </p>
      )}
    </>
  );
}
