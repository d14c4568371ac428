/** What is stuck and what fails, the first few of each. */
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import { usePage } from "../../page-state.ts";
import { Badge, StateBadge } from "../../parts/badge.tsx";
import { Link } from "../../parts/link.tsx";
import { Panel } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { StuckReason } from "../../parts/stuck-reason.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { duration, Id, Maybe, NextAttempt, number, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { lastFailureOf } from "../webhooks/webhook-words.tsx";
import { type Readings, ROWS_SHOWN } from "./now-readings.ts";
import { countOf } from "./owner-tiles.tsx";

type StuckFile = Extract<NonNullable<Readings["stuck"]>, { ok: true }>["body"]["stuck_files"][number];
type OwnFile = Extract<Readings["files"][number], { ok: true }>["body"]["files"][number];

const STUCK: readonly Column<StuckFile>[] = [
  { head: "File", cell: ({ file_id: id }) => <Id id={id} /> },
  {
    head: "Why",
    cell: ({ reason, response_status: status }) => <StuckReason reason={reason} status={status} />,
  },
  { head: "Tries", numeric: true, wide: true, cell: ({ attempts }) => number(attempts) },
  {
    head: "Next try",
    cell: ({ next_attempt_at: at }) => <NextAttempt at={at} />,
  },
];

const OWN: readonly Column<OwnFile>[] = [
  { head: "File", cell: ({ file_id: id }) => <Id id={id} /> },
  { head: "State", cell: ({ status }) => <StateBadge state={status} /> },
  { head: "Environment", wide: true, cell: ({ environment }) => environment },
  { head: "Received", cell: ({ received_at: at }) => <Time at={at} /> },
];

/** Null if there are none. */
export function Stuck({ stuck, files }: Readings) {
  const failed = [...(stuck === null ? [] : [stuck]), ...files].find((each) => !each.ok);
  if (failed !== undefined && !failed.ok)
    return (
      <Panel title="Stuck files">
        <Failed error={failed.error} what="The list" />
      </Panel>
    );
  const href = (file: { file_id: string }) => to.report(file.file_id);
  if (stuck?.ok && stuck.body.stuck_files.length > 0)
    return (
      <Panel title="Stuck files" aside={<All href={to.reports()} count={countOf([stuck.body])} />}>
        <Table caption="Stuck files" columns={STUCK} rows={stuck.body.stuck_files} href={href} />
      </Panel>
    );
  const lists = files.flatMap((each) => (each.ok ? [each.body] : []));
  const rows = lists
    .flatMap((list) => list.files)
    .toSorted((a, b) => b.received_at.localeCompare(a.received_at))
    .slice(0, ROWS_SHOWN);
  if (rows.length === 0) return null;
  return (
    <Panel title="Reports that wait or failed" aside={<All href={to.reports()} count={countOf(lists)} />}>
      <Table caption="Reports that wait or failed" columns={OWN} rows={rows} href={href} />
    </Panel>
  );
}

/** Null if there are none. */
export function Failing({ failing }: Readings) {
  if (!failing.ok)
    return (
      <Panel title="Endpoints that fail">
        <Failed error={failing.error} what="The list" />
      </Panel>
    );
  const { failing_webhooks: rows } = failing.body;
  if (rows.length === 0) return null;
  const columns: readonly Column<ListedWebhook>[] = [
    { head: "Endpoint", cell: (row) => <span class="target">{row.url_masked}</span> },
    { head: "Last failure", wide: true, cell: (row) => <Maybe value={lastFailureOf(row)} /> },
    { head: "Since", cell: ({ health }) => <Time at={health.failing_since} /> },
    { head: "Disabled", cell: ({ health }) => <TimeLeft at={health.disables_at} /> },
  ];
  return (
    <Panel title="Endpoints that fail" aside={<All href={to.webhooks()} count={countOf([failing.body])} />}>
      <Table caption="Endpoints that fail" columns={columns} rows={rows} href={({ id }) => to.webhook(id)} />
    </Panel>
  );
}

/** Time left is short in its last day. */
const SHORT_MS = 24 * 3_600_000;

function TimeLeft({ at }: { at: string | null }) {
  const { now } = usePage();
  if (at === null) return <Badge meaning="off">Paused</Badge>;
  const left = Date.parse(at) - now;
  if (left <= 0) return <Badge meaning="bad">with the next failure</Badge>;
  return <Badge meaning={left < SHORT_MS ? "bad" : "warning"}>in {duration(left)}</Badge>;
}

function All({ href, count }: { href: string; count: string }) {
  return <Link href={href}>All {count}</Link>;
}
