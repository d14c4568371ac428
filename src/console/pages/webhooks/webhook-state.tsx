/** What a webhook's state means for its deliveries: held, skipped or failing, since when and until when. */
import type { ShownReplay } from "../../../portal/webhooks/replay-contract.ts";
import { usePage } from "../../page-state.ts";
import { Action, ActionForm } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { Notice } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { Instant, number, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { mayManage } from "../../session.ts";
import type { WebhookReading } from "./webhook-reading.ts";
import { lastFailureOf } from "./webhook-words.tsx";

export function WebhookState({ reading }: { reading: WebhookReading }) {
  return (
    <>
      <Status reading={reading} />
      <Failing reading={reading} />
      <Skipped reading={reading} />
      <NewestReplay reading={reading} />
    </>
  );
}

function Status({ reading: { webhook, held } }: { reading: WebhookReading }) {
  const { status, paused_at, disabled_reason: reason } = webhook;
  if (status === "paused") {
    const count = held?.ok ? held.body.count : null;
    return (
      <Notice meaning="warning">
        <p>
          <strong>
            Paused{" "}
            {paused_at !== null && (
              <>
                since <Instant at={paused_at} />
              </>
            )}
            : what comes is held, not lost.
          </strong>{" "}
          {count !== null && count !== 0 && (
            <>
              <Link href={to.webhook(webhook.id, { status: "pending" })}>
                {count} {count === 1 ? "delivery waits" : "deliveries wait"}
              </Link>
              .{" "}
            </>
          )}
          Resuming sends the oldest first. What is held for 90 days is skipped then; the mail address is told
          a week before.
        </p>
        {held !== null && !held.ok && <Failed error={held.error} what="The number of held deliveries" />}
      </Notice>
    );
  }
  if (status !== "disabled") return null;
  return (
    <Notice meaning="bad">
      <p>
        <strong>
          {reason === "gone" && "Disabled: its endpoint answered 410, which means that it is gone for good."}
          {reason === "failing" && "Disabled: its endpoint did nothing but fail for five days."}
          {reason === "requested" && "Disabled by hand."}
        </strong>{" "}
        What comes is skipped, not held: it is counted and kept, and is sent only if you replay it.
        {reason !== "requested" && " Mend the endpoint, try it with a test, then enable the webhook."}
      </p>
    </Notice>
  );
}

function Failing({ reading: { webhook } }: { reading: WebhookReading }) {
  const { now } = usePage();
  const { failing_since, disables_at, consecutive_failures: failures } = webhook.health;
  if (failing_since === null || webhook.status === "disabled") return null;
  return (
    <Notice meaning={disables_at !== null && Date.parse(disables_at) - now < 86_400_000 ? "bad" : "warning"}>
      <p>
        <strong>
          {failures === 1 ? "The last attempt failed" : `The last ${number(failures)} attempts failed`}, since{" "}
          <Instant at={failing_since} />
          {lastFailureOf(webhook) !== null && `: ${lastFailureOf(webhook)}`}.
        </strong>{" "}
        {webhook.health.last_failure?.bot_wall === true &&
          "A bot wall in front of the endpoint seems to answer: let our User-Agent pass. "}
        {disables_at === null
          ? "While it is paused, nothing is tried, and the time does not count."
          : Date.parse(disables_at) > now && (
              <>
                Unless one succeeds, it is disabled <Time at={disables_at} />.
              </>
            )}
        {disables_at !== null && Date.parse(disables_at) <= now && "It is disabled with the next failure."}
      </p>
    </Notice>
  );
}

function Skipped({ reading: { webhook, skipped, replays } }: { reading: WebhookReading }) {
  const isReplaying = replays.ok && replays.body.replays[0]?.status === "running";
  if (skipped.count === 0 || skipped.first_at === null || skipped.last_at === null) return null;
  return (
    <Notice meaning="warning">
      <p>
        <Link href={to.webhook(webhook.id, { status: "skipped" })}>
          {skipped.count === 1
            ? "One delivery was skipped"
            : `${number(skipped.count)} deliveries were skipped`}
        </Link>
        , of events from <Instant at={skipped.first_at} />
        {skipped.count > 1 && (
          <>
            {" "}
            to <Instant at={skipped.last_at} />
          </>
        )}
        . {webhook.status === "disabled" ? "Enable the webhook to send what it missed." : ""}
      </p>
      {webhook.status !== "disabled" && !isReplaying && (
        <p>
          <Action name="replay">Send what was missed</Action>
        </p>
      )}
    </Notice>
  );
}

/** Of a replay: the words of the address that say what was done to it. */
const REPLAY_DONE: readonly (string | null)[] = ["replaying", "replay-ended"];

/** Shown while it runs, and after it until another page is opened. */
function NewestReplay({ reading: { webhook, replays } }: { reading: WebhookReading }) {
  const { session, url } = usePage();
  if (!replays.ok) return <Failed error={replays.error} what="The replays" />;
  const [replay] = replays.body.replays;
  const isFollowed = replay?.status === "running" || REPLAY_DONE.includes(url.searchParams.get("done"));
  if (replay === undefined || !isFollowed) return null;
  return (
    <Notice meaning={replay.status === "ended" ? "warning" : replay.status === "done" ? "good" : "waiting"}>
      <Progress replay={replay} isPaused={webhook.status === "paused"} />
      {replay.status === "running" && mayManage(session) && (
        <ActionForm
          hidden={{ act: "end-replay", replay: replay.id }}
          submit="Cancel replay"
          busy="Cancelling…"
        />
      )}
    </Notice>
  );
}

function Progress({ replay, isPaused }: { replay: ShownReplay; isPaused: boolean }) {
  const { status, since, until, progress, queued } = replay;
  const deliveries = `${number(queued)} ${queued === 1 ? "delivery" : "deliveries"}`;
  return (
    <div class="progress">
      <p>
        <strong>
          {status === "running" && `Replaying: ${number(queued)} queued so far,`}
          {status === "done" && `Replayed ${deliveries},`}
          {status === "ended" && `The replay was cancelled after ${deliveries},`}
        </strong>{" "}
        of events from <Instant at={since} /> to <Instant at={until} />.{" "}
        {status === "running" && isPaused && "It waits until the webhook is active again."}
        {status === "ended" && "What it had queued is still sent."}
      </p>
      {status === "running" && <progress value={progress} max={1} aria-label="Progress of the replay" />}
    </div>
  );
}
