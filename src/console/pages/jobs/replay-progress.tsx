/** The page of a replay of one webhook. */
import type { ShownReplay } from "../../../portal/webhooks/replay-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { RefusedCall } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { Link } from "../../parts/link.tsx";
import { Facts, Notice, Panel } from "../../parts/panels.tsx";
import { Progress } from "../../parts/progress.tsx";
import { Instant, number, percent, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { nameOf } from "../deliveries/delivery-filters.ts";
import { perMinute, REPLAY_KINDS } from "./job-words.ts";
import { workPage } from "./work-page.tsx";

export async function showReplay(
  c: ConsoleContext,
  replay: ShownReplay,
  refused: RefusedCall | null,
): Promise<Response> {
  const found = await c.get("api").get<{ webhook: ListedWebhook }>(`/webhooks/${replay.webhookId}`);
  const webhook = found.ok ? found.body.webhook : null;
  const { id, only, progress, status } = replay;
  const title = REPLAY_KINDS[only];
  return workPage(
    c,
    {
      id,
      title,
      section: "deliveries",
      status,
      list: { href: to.jobs({ tab: "replays" }), label: "All replays" },
      cancel: {
        title: "Cancel this replay",
        consequence:
          "It queues nothing more. What it has queued by now is still sent. A later replay takes what is left.",
        submit: "Cancel the replay",
      },
      refused,
    },
    <Panel title="Progress">
      {status === "ended" ? (
        <p>It ended after {percent(progress)} of the range.</p>
      ) : (
        <Progress label={title} share={progress}>
          {`${percent(progress)} of the range was read.`}
        </Progress>
      )}
      <p class="quiet">{stateWords(replay)}</p>
      {status === "running" && webhook?.status === "paused" && (
        <Notice meaning="warning">
          <p>The webhook is paused: the replay waits until it is resumed.</p>
        </Notice>
      )}
      <ReplayFacts replay={replay} webhook={webhook} now={c.env.startedAt} />
    </Panel>,
  );
}

function stateWords({ status }: ShownReplay): string {
  switch (status) {
    case "running":
      return "It goes on once a minute, and queues no more while 500 deliveries of the webhook wait.";
    case "done":
      return "It queued all that it found. Whether each was delivered is in the list of deliveries.";
    case "ended":
      return "It was cancelled, or its webhook was disabled or deleted. It queues nothing more.";
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
          <Link href={to.webhook(webhookId)}>{webhook === null ? webhookId : nameOf(webhook)}</Link>,
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
