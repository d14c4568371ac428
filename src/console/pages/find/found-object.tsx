/** What has no page of its own: a change in the portal, and objects that are deleted. */
import type { Child } from "hono/jsx";
import { consolePathOf } from "../../../portal/lookup/console-path-of.ts";
import type { Found, Link as Related, ShownChange } from "../../../portal/lookup/lookup-contract.ts";
import { StateBadge, sentence } from "../../parts/badge.tsx";
import { Facts, Heading, Panel } from "../../parts/panels.tsx";
import { Table } from "../../parts/table.tsx";
import { Id, Instant, Time } from "../../parts/values.tsx";

const NOUNS: Record<Found["kind"], string> = {
  request: "Request",
  file: "Report",
  delivery: "Delivery",
  event: "Event",
  connection: "Connection",
  webhook: "Webhook",
  api_key: "API key",
  employer: "Employer",
};

export function FoundObject({ found }: { found: Found }) {
  const { kind, id, summary, related } = found;
  const facts = factsOf(summary);
  const isDeleted = "deleted_at" in summary && summary.deleted_at !== null;
  return (
    <>
      <Heading
        title={"changes" in summary ? "A change in the portal" : NOUNS[kind]}
        aside={
          <>
            {isDeleted && <StateBadge state="deleted" />}
            <Id id={id} />
          </>
        }
      >
        {isDeleted ? "It was deleted. What came of it is still found below." : undefined}
      </Heading>
      {facts.length > 0 && <Facts facts={facts} />}
      {"changes" in summary && <Changes changes={summary.changes} />}
      {related.length > 0 && <RelatedPanel related={related} />}
    </>
  );
}

/** The summary's plain values, in the order in which the API answers them. */
function factsOf(summary: Found["summary"]): [name: string, value: Child | null][] {
  return Object.entries(summary)
    .filter(([, value]) => value === null || typeof value !== "object" || isWords(value))
    .map(([name, value]) => [sentence(name), value === null ? null : shown(name, value)]);
}

function isWords(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function shown(name: string, value: unknown): Child {
  if (isWords(value)) return value.join(", ");
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value === "string" && name === "status") return <StateBadge state={value} />;
  if (typeof value === "string" && (name === "at" || name.endsWith("_at"))) return <Instant at={value} />;
  return String(value);
}

function Changes({ changes }: { changes: readonly ShownChange[] }) {
  return (
    <Panel title="What it changed">
      <Table
        caption="Changes, in their order"
        columns={[
          { head: "Change", cell: ({ action }) => action },
          {
            head: "Of",
            cell: ({ subject: { kind, id } }) => (
              <>
                {sentence(kind)} <Id id={id} />
              </>
            ),
          },
          { head: "By", cell: ({ actor }) => actor },
          { head: "When", cell: ({ at }) => <Time at={at} /> },
        ]}
        rows={changes}
      />
    </Panel>
  );
}

export function RelatedPanel({ related }: { related: readonly Related[] }) {
  return (
    <Panel title="Related">
      <Table
        caption="Related objects"
        columns={[
          { head: "What", cell: ({ kind }) => NOUNS[kind] },
          { head: "Id", cell: ({ id }) => <Id id={id} /> },
          {
            head: "State",
            cell: ({ status, type }) => (status === undefined ? type : <StateBadge state={status} />),
          },
        ]}
        rows={related}
        href={consolePathOf}
      />
    </Panel>
  );
}
