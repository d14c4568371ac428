/** What an import came to, for a page without scripts. */
import type { ImportEvent } from "../../../../portal/employers/employer-import.ts";
import type { RefusedCall } from "../../../api.ts";
import { Facts, Notice, Panel } from "../../../parts/panels.tsx";
import { Done } from "../../../parts/states.tsx";
import { Table } from "../../../parts/table.tsx";
import { Maybe, number } from "../../../parts/values.tsx";

type Problem = Extract<ImportEvent, { type: "problem" }>;

/** With the list, which the form shows again. */
export type ImportOutcome = { list: string } & (
  | { kind: "unread"; problem: string }
  | { kind: "refused"; call: RefusedCall }
  | { kind: "ran"; problems: readonly Problem[]; end: Extract<ImportEvent, { type: "end" }> | null }
);

/** A page shows no more of them. */
const MOST_SHOWN = 1_000;

export function Outcome({
  outcome: { end, problems },
}: {
  outcome: Extract<ImportOutcome, { kind: "ran" }>;
}) {
  return (
    <>
      {end?.complete && <Done>Every line was imported, but for those that are listed as refused.</Done>}
      {!end?.complete && (
        <Notice meaning="warning">
          <p>
            <strong>Not every line was imported.</strong>{" "}
            {end?.message ?? "The import ended before it could say why."}
          </p>
        </Notice>
      )}
      {end !== null && (
        <Facts
          facts={[
            ["Lines", number(end.lines)],
            ["Created", number(end.created)],
            ["Updated", number(end.updated)],
            ["Up to date before", number(end.unchanged)],
            ["Refused", number(end.refused)],
          ]}
        />
      )}
      {problems.length > 0 && (
        <Panel title="Lines that were refused">
          <Table
            caption="Lines that were refused"
            columns={[
              { head: "Line", numeric: true, cell: ({ line }: Problem) => number(line) },
              { head: "Employer", cell: ({ id }: Problem) => <Maybe value={id} /> },
              { head: "Why", isText: true, cell: (problem: Problem) => problemWords(problem) },
            ]}
            rows={problems.slice(0, MOST_SHOWN)}
          />
          {problems.length > MOST_SHOWN && (
            <p class="quiet">
              The first {number(MOST_SHOWN)} are shown. Correct them, and import the list again.
            </p>
          )}
        </Panel>
      )}
    </>
  );
}

function problemWords({ message, details = {} }: Problem): string {
  const fields = Object.entries(details).map(([field, problem]) => `${field}: ${String(problem)}`);
  return [message, ...fields].join(" ");
}
