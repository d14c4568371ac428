/** The changes of an object: its part of the audit trail, with what was before and after each. */
import type { ShownAuditEntry } from "../../portal/audit-routes.ts";
import type { ApiQuery, ApiResult } from "../api.ts";
import type { ConsoleContext } from "../console-host.ts";
import { to } from "../paths.ts";
import { sentence } from "./badge.tsx";
import { Link } from "./link.tsx";
import { Failed, NothingYet } from "./states.tsx";
import { Pager, Table } from "./table.tsx";
import { Instant, Maybe, shortId } from "./values.tsx";

interface HistoryBody {
  audit: ShownAuditEntry[];
  next_cursor: string | null;
}

const ROWS = 25;

/** `subject`: such as `webhook:wh_65f0…`. `owner` names the object's owner, if the page's address may not. */
export function readHistory(
  c: ConsoleContext,
  subject: string,
  owner: ApiQuery = {},
): Promise<ApiResult<HistoryBody>> {
  const cursor = new URL(c.req.url).searchParams.get("cursor");
  return c.get("api").get<HistoryBody>("/audit", { ...owner, subject, cursor, limit: ROWS });
}

export function History({ found }: { found: ApiResult<HistoryBody> }) {
  if (!found.ok) return <Failed error={found.error} what="The history" />;
  const { audit, next_cursor } = found.body;
  if (audit.length === 0) return <NothingYet what="Nothing was changed in the last seven years." />;
  return (
    <>
      <Table
        caption="Changes, newest first"
        columns={[
          { head: "When", cell: ({ at }: ShownAuditEntry) => <Instant at={at} /> },
          {
            head: "What",
            cell: ({ action }: ShownAuditEntry) => sentence(action.slice(action.indexOf(".") + 1)),
          },
          { head: "Changes", isText: true, cell: (entry: ShownAuditEntry) => <Changes entry={entry} /> },
          { head: "Who", cell: ({ actor }: ShownAuditEntry) => actor },
          {
            head: "Request",
            wide: true,
            cell: ({ request_id: id }: ShownAuditEntry) =>
              id === null ? (
                <Maybe value={null} />
              ) : (
                <Link href={to.request(id)}>
                  <code title={id}>{shortId(id)}</code>
                </Link>
              ),
          },
        ]}
        rows={audit}
        keyOf={({ id }) => id}
      />
      <Pager nextCursor={next_cursor} what="changes" shown={audit.length} />
    </>
  );
}

/** What a change made of each field. */
export function Changes({ entry: { before, after } }: { entry: ShownAuditEntry }) {
  const changed = Object.entries(after ?? {}).filter(
    ([field, value]) => (before !== null || value !== null) && !isFingerprint(field),
  );
  // Of two addresses that are masked alike, only the fingerprint tells.
  const isHidden = before?.url_fingerprint !== undefined && after?.url_masked === undefined;
  if (changed.length === 0 && !isHidden) return <Maybe value={null} />;
  return (
    <ul class="changes">
      {changed.map(([field, value]) => (
        <li>
          {field === "url_masked" ? "Address" : sentence(field)}:{" "}
          {before !== null && (
            <>
              <del>{wordsOf(field, before[field])}</del> <span aria-hidden="true">→</span>{" "}
            </>
          )}
          <ins>{wordsOf(field, value)}</ins>
        </li>
      ))}
      {isHidden && <li>Address: changed where it is masked</li>}
    </ul>
  );
}

const isFingerprint = (field: string) => field === "url_fingerprint";

function wordsOf(field: string, value: unknown): string {
  if (value === null || value === undefined || value === "") return "none";
  if (field.endsWith("_at") && typeof value === "number") return momentWords(value);
  if (field === "secrets" && Array.isArray(value)) return secretsWords(value);
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function momentWords(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function secretsWords(secrets: readonly unknown[]): string {
  const endings = secrets.flatMap((each) =>
    typeof each === "object" && each !== null && "expires_at" in each && typeof each.expires_at === "number"
      ? [`one until ${momentWords(each.expires_at)}`]
      : [],
  );
  return [secrets.length === 1 ? "one" : String(secrets.length), ...endings].join(", ");
}
