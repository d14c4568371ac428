/** Work in the background: bulk retries and bulk replays of an owner, and the replays of its webhooks, running and ended ones. */
import { Hono } from "hono";
import type { ShownJob } from "../../../portal/jobs/job-contract.ts";
import type { ShownReplay } from "../../../portal/webhooks/replay-contract.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { page } from "../../page.tsx";
import { AskOwner } from "../../parts/ask-owner.tsx";
import { StateBadge } from "../../parts/badge.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Heading, Live, Tabs } from "../../parts/panels.tsx";
import { Failed, NothingYet } from "../../parts/states.tsx";
import { type Column, Pager, Table } from "../../parts/table.tsx";
import { Id, number, percent, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { handled, KINDS, progressWords, REPLAY_KINDS } from "./job-words.ts";

const ROWS = 50;
const REFRESHED_EVERY_S = 5;
const PAGE = { title: "Jobs", section: "deliveries" } as const;
const REPLAYS = "replays";

export const jobList = new Hono<ConsoleEnv>().get("/console/jobs", async (c) => {
  const asks = c.get("session").owner === null && c.get("scope").owner === null;
  return page(
    c,
    PAGE,
    <>
      <Heading
        title="Jobs"
        actions={
          c.get("session").owner === null ? (
            <ButtonLink href={to.job("rewrap")}>Rewrap data keys</ButtonLink>
          ) : undefined
        }
      >
        Work that goes on in the background. Each can be followed and cancelled; what ended is listed for 30
        days.
      </Heading>
      {asks ? (
        <AskOwner what="jobs" />
      ) : (
        <>
          <Tabs
            tabs={[
              { value: "jobs", label: "Bulk retries and replays" },
              { value: REPLAYS, label: "Replays of one webhook" },
            ]}
          />
          {new URL(c.req.url).searchParams.get("tab") === REPLAYS ? await replays(c) : await jobs(c)}
        </>
      )}
    </>,
  );
});

async function jobs(c: ConsoleContext) {
  const { searchParams: query } = new URL(c.req.url);
  const cursor = query.get("cursor");
  const found = await c
    .get("api")
    .get<{ jobs: ShownJob[]; next_cursor: string | null }>("/jobs", { cursor, limit: ROWS });
  if (!found.ok) return <Failed error={found.error} what="The jobs" />;
  const { jobs: rows, next_cursor } = found.body;
  if (rows.length === 0 && cursor === null)
    return (
      <NothingYet what="No job yet. One begins when many deliveries are sent again, or many reports are replayed.">
        <p>
          <Link href={to.deliveries({ do: "recover" })}>Send many deliveries again</Link>
        </p>
      </NothingYet>
    );
  const columns: Column<ShownJob>[] = [
    { head: "Job", cell: ({ kind }) => KINDS[kind] },
    { head: "State", cell: ({ status }) => <StateBadge state={status} /> },
    { head: "Progress", cell: (job) => progressWords(handled(job), job.matched) },
    { head: "Queued", numeric: true, wide: true, cell: ({ done }) => number(done) },
    { head: "Skipped", numeric: true, wide: true, cell: ({ skipped }) => number(skipped) },
    { head: "Began", cell: ({ created_at }) => <Time at={created_at} /> },
    { head: "Last change", wide: true, cell: ({ updated_at }) => <Time at={updated_at} /> },
  ];
  return (
    <Live
      id="jobs"
      quiet
      seconds={rows.some(({ status }) => status === "running") ? REFRESHED_EVERY_S : null}
    >
      <Table
        caption="Jobs, newest first"
        columns={columns}
        rows={rows}
        href={({ id }) => to.job(id)}
        keyOf={({ id }) => id}
      />
      <Pager nextCursor={next_cursor} what="jobs" shown={rows.length} />
    </Live>
  );
}

async function replays(c: ConsoleContext) {
  const { searchParams: query } = new URL(c.req.url);
  const cursor = query.get("cursor");
  const found = await c
    .get("api")
    .get<{ replays: ShownReplay[]; next_cursor: string | null }>("/replays", { cursor, limit: ROWS });
  if (!found.ok) return <Failed error={found.error} what="The replays" />;
  const { replays: rows, next_cursor } = found.body;
  if (rows.length === 0 && cursor === null)
    return (
      <NothingYet what="No webhook was replayed yet. A replay sends the events of a range of time again, from a webhook's page or a delivery's." />
    );
  const columns: Column<ShownReplay>[] = [
    { head: "Replay", cell: ({ only }) => REPLAY_KINDS[only] },
    { head: "State", cell: ({ status }) => <StateBadge state={status} /> },
    { head: "Progress", numeric: true, cell: ({ progress }) => percent(progress) },
    { head: "Queued", numeric: true, cell: ({ queued }) => number(queued) },
    {
      head: "Webhook",
      wide: true,
      cell: ({ webhookId }) => (
        <Link href={to.webhook(webhookId)}>
          <Id id={webhookId} />
        </Link>
      ),
    },
    { head: "Began", cell: ({ createdAt }) => <Time at={createdAt} /> },
  ];
  return (
    <Live
      id="replays"
      quiet
      seconds={rows.some(({ status }) => status === "running") ? REFRESHED_EVERY_S : null}
    >
      <Table
        caption="Replays, newest first"
        columns={columns}
        rows={rows}
        href={({ id, webhookId }) => to.job(id, { webhook: webhookId })}
        keyOf={({ id }) => id}
      />
      <Pager nextCursor={next_cursor} what="replays" shown={rows.length} />
    </Live>
  );
}
