/** The tab of the audit trail: every change, newest first, with who made it and what it made of which object. */
import type { ShownAuditEntry } from "../../../../portal/audit-routes.ts";
import type { ApiResult } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { usePage } from "../../../page-state.ts";
import { sentence } from "../../../parts/badge.tsx";
import { clearedOf, type Filter, Filters, instantOf, isFiltered } from "../../../parts/filters.tsx";
import { Changes } from "../../../parts/history.tsx";
import { Link } from "../../../parts/link.tsx";
import { Heading } from "../../../parts/panels.tsx";
import { Failed, NothingMatches, NothingYet } from "../../../parts/states.tsx";
import { type Column, Pager, Table } from "../../../parts/table.tsx";
import { Instant, Maybe, shortId } from "../../../parts/values.tsx";
import { to } from "../../../paths.ts";
import { type SettingsTab, settingsPage } from "../settings-page.tsx";
import { subjectHref } from "./subject-href.ts";

const LIMIT = 50;

const FILTERS: readonly Filter[] = [
  { name: "subject", label: "Object", placeholder: "connection:65f0c1…" },
  { name: "action", label: "Change", placeholder: "connection.updated" },
  { name: "since", label: "Since (UTC)", type: "datetime-local" },
];

interface AuditBody {
  audit: ShownAuditEntry[];
  next_cursor: string | null;
}

export const auditTab: SettingsTab = {
  show: (c) => showAudit(c),
  /** Nothing here can be changed. */
  act: (c) => showAudit(c),
};

async function showAudit(c: ConsoleContext): Promise<Response> {
  const query = new URL(c.req.url).searchParams;
  const listed = await c.get("api").get<AuditBody>("/audit", {
    subject: query.get("subject")?.trim(),
    action: query.get("action")?.trim(),
    since: instantOf(query.get("since")),
    cursor: query.get("cursor"),
    limit: LIMIT,
  });
  const isEverybodys = c.get("session").owner === null && c.get("scope").owner === null;
  return settingsPage(
    c,
    { title: "Audit trail" },
    <>
      <Heading title="Audit trail">
        {isEverybodys
          ? "Who changed what, of all owners and of the gateway itself, in the last seven years."
          : "Who changed what of this owner, in the last seven years."}
      </Heading>
      <Filters filters={FILTERS} keep={["tab"]} />
      <AuditList listed={listed} isEverybodys={isEverybodys} />
    </>,
  );
}

const COLUMNS: readonly Column<ShownAuditEntry>[] = [
  { head: "When", cell: ({ at }) => <Instant at={at} /> },
  { head: "What", cell: ({ action }) => actionWords(action) },
  { head: "Of", cell: ({ subject }) => <Subject subject={subject} /> },
  {
    head: "Changes",
    isText: true,
    cell: (entry) => (
      <div class="in-line">
        <Changes entry={entry} />
      </div>
    ),
  },
  { head: "Who", cell: ({ actor }) => actor },
];
const OWNER: Column<ShownAuditEntry> = {
  head: "Owner",
  wide: true,
  cell: ({ owner_type: type, owner_id: id }) =>
    type === null || id === null ? <Maybe value={null} /> : <span title={sentence(type)}>{id}</span>,
};
const REQUEST: Column<ShownAuditEntry> = {
  head: "Request",
  wide: true,
  cell: ({ request_id: id }) =>
    id === null ? (
      <Maybe value={null} />
    ) : (
      <Link href={to.find({ q: id })}>
        <code title={id}>{shortId(id)}</code>
      </Link>
    ),
};

/** `connection.secret_rotated` as `Connection secret rotated`. */
function actionWords(action: string): string {
  return sentence(action.replace(".", " ")).replace(/^Api /, "API ");
}

function Subject({ subject }: { subject: ShownAuditEntry["subject"] }) {
  const href = subjectHref(subject);
  const id = <code title={subject.id}>{shortId(subject.id)}</code>;
  return href === null ? id : <Link href={href}>{id}</Link>;
}

function AuditList({ listed, isEverybodys }: { listed: ApiResult<AuditBody>; isEverybodys: boolean }) {
  const { url } = usePage();
  if (!listed.ok) return <Failed error={listed.error} what="The audit trail" />;
  const { audit, next_cursor: nextCursor } = listed.body;
  if (audit.length === 0)
    return isFiltered(url, FILTERS) ? (
      <NothingMatches clear={clearedOf(url, FILTERS)} what="changes" />
    ) : (
      <NothingYet what="Nothing was changed in the last seven years." />
    );
  return (
    <>
      <Table
        caption="Changes, newest first"
        columns={[...COLUMNS, ...(isEverybodys ? [OWNER] : []), REQUEST]}
        rows={audit}
        keyOf={({ id }) => id}
      />
      <Pager nextCursor={nextCursor} what="changes" shown={audit.length} />
    </>
  );
}
