/** The lists of reports: of one sender, of one owner, and the stuck and failed ones of everybody. */
import type { ListedFile } from "../../../portal/files/file-list-contract.ts";
import type { ShownStuckFile } from "../../../portal/files/stuck-file-contract.ts";
import { isTransient, type RefusedCall } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { StateBadge, sentence } from "../../parts/badge.tsx";
import { clearedOf, type Filter, isFiltered } from "../../parts/filters.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Failed, NothingMatches, NothingYet, Refused } from "../../parts/states.tsx";
import { StuckReason } from "../../parts/stuck-reason.tsx";
import { type Column, Pager, Table } from "../../parts/table.tsx";
import { bytes, Id, Maybe, NextAttempt, number, shortId, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";

export interface Listed<Row> {
  rows: readonly Row[];
  next_cursor: string | null;
  count: number | string | null;
}

interface SenderIds {
  connection_id?: string | undefined;
  api_key_id?: string | undefined;
}

function Sender({ connection_id, api_key_id }: SenderIds) {
  if (connection_id !== undefined)
    return (
      <Link href={to.connection(connection_id)}>
        <code title={connection_id}>{shortId(connection_id)}</code>
      </Link>
    );
  const key = `ak_${api_key_id}`;
  return (
    <Link href={to.find({ q: key })}>
      <code title={key}>{shortId(key)}</code>
    </Link>
  );
}

const report = <Row extends { file_id: string }>(): Column<Row> => ({
  head: "Report",
  cell: ({ file_id }) => <Id id={file_id} />,
});
const sender = <Row extends SenderIds>(): Column<Row> => ({
  head: "Sender",
  wide: true,
  cell: (row) => <Sender connection_id={row.connection_id} api_key_id={row.api_key_id} />,
});

const FILES: readonly Column<ListedFile>[] = [
  report(),
  { head: "Status", cell: ({ status }) => <StateBadge state={status} /> },
  { head: "Received", cell: ({ received_at }) => <Time at={received_at} /> },
  { head: "Employer", cell: ({ employer_id }) => employer_id },
  { head: "Kind", wide: true, cell: ({ kind }) => sentence(kind) },
  { head: "Size", numeric: true, wide: true, cell: ({ size }) => bytes(size) },
  { head: "Records", numeric: true, cell: (file) => <Records file={file} /> },
  { head: "Attempts", numeric: true, wide: true, cell: ({ attempts }) => number(attempts) },
  { head: "Next attempt", wide: true, cell: (file) => <NextAttempt at={file.next_attempt_at} /> },
];

const STUCK: readonly Column<ShownStuckFile>[] = [
  report(),
  {
    head: "Why",
    cell: ({ reason, response_status }) => <StuckReason reason={reason} status={response_status} />,
  },
  { head: "Attempts", numeric: true, cell: ({ attempts }) => number(attempts) },
  { head: "Next attempt", cell: (file) => <NextAttempt at={file.next_attempt_at} /> },
  { head: "Listed since", wide: true, cell: ({ first_seen_at }) => <Time at={first_seen_at} /> },
  sender(),
];

function Records({ file }: { file: ListedFile }) {
  const { records_total: total, records_processed: processed, records_failed: failed } = file;
  if (total === null && processed === null) return <Maybe value={null} />;
  const done =
    processed === null ? number(total ?? 0) : `${number(processed)} of ${number(total ?? processed)}`;
  return <span>{failed ? `${done}, ${number(failed)} failed` : done}</span>;
}

export function FileList({ list, ofOne }: { list: Listed<ListedFile>; ofOne: boolean }) {
  return (
    <ReportTable
      list={list}
      columns={ofOne ? FILES : [...FILES.slice(0, 3), sender<ListedFile>(), ...FILES.slice(3)]}
    />
  );
}

export function StuckList({ list }: { list: Listed<ShownStuckFile> }) {
  return <ReportTable list={list} columns={STUCK} />;
}

function ReportTable<Row extends { file_id: string }>({
  list: { rows, next_cursor, count },
  columns,
}: {
  list: Listed<Row>;
  columns: readonly Column<Row>[];
}) {
  return (
    <>
      {rows.length === 0 ? (
        <p class="quiet">No report on this page matches. There may be older ones.</p>
      ) : (
        <Table
          caption="Reports, newest first"
          columns={columns}
          rows={rows}
          href={({ file_id }) => to.report(file_id)}
          keyOf={({ file_id }) => file_id}
        />
      )}
      <Pager
        nextCursor={next_cursor}
        count={count === null ? undefined : `${count}`}
        what={count === 1 ? "report" : "reports"}
        shown={rows.length}
      />
    </>
  );
}

/** The API does not take the filters, or could not be asked. */
export function Unlisted({ refused, filters }: { refused: RefusedCall; filters: readonly Filter[] }) {
  const { url } = usePage();
  const { error } = refused;
  if (isTransient(refused)) return <Failed error={error} what="The reports" />;
  return (
    <>
      <Refused error={error} what="These filters cannot be used." />
      <ButtonLink href={clearedOf(url, filters)}>Clear filters</ButtonLink>
    </>
  );
}

interface NothingProps {
  filters: readonly Filter[];
  /** Of one sender, which may have none yet. Otherwise it is good to have none. */
  ofOne: boolean;
}

export function NothingListed({ filters, ofOne }: NothingProps) {
  const { url, session } = usePage();
  const others = filters.filter(({ name }) => name !== "sender");
  if (isFiltered(url, others)) return <NothingMatches clear={clearedOf(url, others)} what="reports" />;
  if (ofOne)
    return (
      <NothingYet what="Nothing has come from this sender in 90 days.">
        <ButtonLink href={to.docs()}>How to send a report</ButtonLink>
      </NothingYet>
    );
  return (
    <NothingYet what="No report is stuck or has failed.">
      <p>
        {session.owner === null
          ? "To see all reports of a connection or key, choose its owner above, or enter its id as the sender."
          : "To see all reports of a connection or key, choose it as the sender."}
      </p>
      <ButtonLink href={to.connections()}>Show connections</ButtonLink>
    </NothingYet>
  );
}
