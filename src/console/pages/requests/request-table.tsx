/** Requests as rows: of a connection, or of nobody's. */
import type { ShownRequest } from "../../../portal/requests/request-contract.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { reasonOf } from "../../parts/diagnosis.tsx";
import { Link } from "../../parts/link.tsx";
import { Prose } from "../../parts/prose.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { bytes, duration, Id, Maybe, number, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";

export interface RequestsBody {
  requests: ShownRequest[];
  next_cursor: string | null;
  counts: Record<string, number>;
}

const COLUMNS: readonly Column<ShownRequest>[] = [
  { head: "Arrived", cell: ({ at }) => <Time at={at} /> },
  { head: "Outcome", cell: ({ outcome }) => <StateBadge state={outcome} /> },
  { head: "Status", numeric: true, wide: true, cell: ({ status }) => status },
  { head: "Why, or what came of it", isText: true, cell: (request) => <Reason request={request} /> },
  {
    head: "Size",
    numeric: true,
    wide: true,
    cell: ({ bytes: size }) => <Maybe value={size === null ? null : bytes(size)} />,
  },
  { head: "Sent by", wide: true, cell: (request) => <Sender request={request} /> },
  {
    head: "Took",
    numeric: true,
    wide: true,
    cell: ({ ms }) => <Maybe value={ms === null ? null : duration(ms)} />,
  },
];

export function RequestTable({ requests, caption }: { requests: readonly ShownRequest[]; caption: string }) {
  return (
    <Table
      caption={caption}
      columns={COLUMNS}
      rows={requests}
      href={({ request_id }) => to.request(request_id)}
      keyOf={({ request_id }) => request_id}
    />
  );
}

function Reason({ request }: { request: ShownRequest }) {
  const { outcome, code, file_id: fileId } = request;
  if (outcome === "refused")
    return (
      <>
        <Prose text={reasonOf(request)} /> <code class="quiet">{code}</code>
      </>
    );
  if (fileId === null) return <span class="none">–</span>;
  return (
    <>
      {outcome === "duplicate" && "The same report as "}
      <Link href={to.report(fileId)}>
        <Id id={fileId} />
      </Link>
    </>
  );
}

function Sender({ request: { user_agent: agent, country } }: { request: ShownRequest }) {
  return <Maybe value={[agent, country].filter(Boolean).join(", ")} />;
}

/** What is counted, by code, each as a filter. `hrefOf` leads to the list with only that code. */
export function RequestCounts({
  counts,
  hrefOf,
}: {
  counts: Record<string, number>;
  hrefOf: (code: string) => string;
}) {
  const entries = Object.entries(counts).sort(([, one], [, other]) => other - one);
  if (entries.length === 0) return null;
  return (
    <ul class="counts" aria-label="Requests by outcome">
      {entries.map(([code, n]) => (
        <li>
          <Link href={hrefOf(code)}>
            {code === "ACCEPTED" ? "Accepted" : code === "DUPLICATE" ? "Duplicates" : <code>{code}</code>}
          </Link>{" "}
          {/* The API counts accepted requests up to this. */}
          <strong>{code === "ACCEPTED" && n >= 10_000 ? "10,000+" : number(n)}</strong>
        </li>
      ))}
    </ul>
  );
}
