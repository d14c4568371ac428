/** The page of a replay of one webhook. */
import type { ShownReplay } from "../../../portal/webhooks/replay-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { RefusedCall } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { page, statusOfRefused } from "../../page.tsx";
import { StateBadge } from "../../parts/badge.tsx";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Facts, Heading, Live, Notice, Panel } from "../../parts/panels.tsx";
import { Progress } from "../../parts/progress.tsx";
import { DoneAsNamed, Refused } from "../../parts/states.tsx";
import { Id, Instant, number, percent, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { perMinute, REPLAY_KINDS } from "./job-words.ts";

const REFRESHED_EVERY_S = 2;

const DONE: Record<string, string> = {
  begun: "Begun. This page follows it; its address is enough to come back.",
  cancelled: "Ended. What was queued by then is still sent.",
};

export async function showReplay(
  c: ConsoleContext,
  replay: ShownReplay,
  refused: RefusedCall | null,
): Promise<Response> {
  const found = await c.get("api").get<{ webhook: ListedWebhook }>(`/webhooks/${replay.webhookId}`);
  const webhook = found.ok ? found.body.webhook : null;
  const title = REPLAY_KINDS[replay.only];
  const isRunning = replay.status === "running";
  const refresh = isRunning ? REFRESHED_EVERY_S : null;
  return page(
    c,
    { title, section: "deliveries", status: refused === null ? 200 : statusOfRefused(refused) },
    <>
      <Heading
        title={title}
        aside={
          <>
            <Live id="state" seconds={refresh}>
              <StateBadge state={replay.status} />
            </Live>
            <Id id={replay.id} whole />
          </>
        }
        actions={
          <>
            <ButtonLink href={to.jobs({ tab: "replays" })}>All replays</ButtonLink>
            <Action name="cancel" danger unavailable={isRunning ? null : "It has ended."}>
              Cancel
            </Action>
          </>
        }
      />
      <DoneAsNamed words={DONE} />
      {refused !== null && <Refused error={refused.error} what="It was not ended." />}
      <Dialog name="cancel" title="End this replay">
        <p>
          It queues nothing more. What it has queued by now is still sent. A later replay takes what is left.
        </p>
        <ActionForm hidden={{ do: "cancel" }} submit="End the replay" danger busy="Ending…" />
      </Dialog>
      <Live id="replay" quiet seconds={refresh}>
        <Panel title="Progress">
          {isRunning || replay.status === "done" ? (
            <Progress label={title} share={replay.progress}>
              {`${percent(replay.progress)} of the range was read.`}
            </Progress>
          ) : (
            <p>It ended after {percent(replay.progress)} of the range.</p>
          )}
          <p class="quiet">{stateWords(replay)}</p>
          {isRunning && webhook?.status === "paused" && (
            <Notice meaning="warning">
              <p>The webhook is paused: the replay waits until it is resumed.</p>
            </Notice>
          )}
          <ReplayFacts replay={replay} webhook={webhook} now={c.env.startedAt} />
        </Panel>
      </Live>
    </>,
  );
}

function stateWords({ status }: ShownReplay): string {
  switch (status) {
    case "running":
      return "It goes on once a minute, and queues no more while 500 deliveries of the webhook wait.";
    case "done":
      return "It queued all that it found. Whether each was delivered is in the list of deliveries.";
    case "ended":
      return "It was ended, or its webhook was disabled or deleted. It queues nothing more.";
  }
}

function ReplayFacts({
  replay,
  webhook,
  now,
}: {
  replay: ShownReplay;
  webhook: ListedWebhook | null;
  now: number;
}) {
  const { webhookId, queued, since, until, position, createdAt, updatedAt, status } = replay;
  const isRunning = status === "running";
  const rate = perMinute(queued, createdAt, isRunning ? now : Date.parse(updatedAt));
  const results = { webhook_id: webhookId, since: since.slice(0, -1), until: until.slice(0, -1) };
  return (
    <Facts
      facts={[
        [
          "Queued",
          <Link href={to.deliveries({ ...results, environment: webhook?.environment })}>
            {number(queued)}
          </Link>,
        ],
        ["Per minute", rate === null ? "–" : number(rate)],
        [
          "Webhook",
          <Link href={to.webhook(webhookId)}>
            {webhook?.description || webhook?.url_masked || webhookId}
          </Link>,
        ],
        ["Events stored since", <Instant at={since} />],
        ["Until", <Instant at={until} />],
        ["Read up to", isRunning ? <Instant at={position} /> : null],
        ["Began", <Instant at={createdAt} />],
        [isRunning ? "Last step" : "Ended", <Time at={updatedAt} />],
      ]}
    />
  );
}
