/** How the parts of a view are shown. */
import { inUnit } from "../../format.ts";
import { usePage } from "../../page-state.ts";
import { Badge, type Meaning } from "../../parts/badge.tsx";
import { Chart, Sparkline } from "../../parts/charts.tsx";
import { Level } from "../../parts/level.tsx";
import { Link } from "../../parts/link.tsx";
import { Panel } from "../../parts/panels.tsx";
import { Failed, NothingYet } from "../../parts/states.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Id } from "../../parts/values.tsx";
import { changed } from "../../paths.ts";
import type { Breakdown, BreakdownRow, Figure, Goal, Part, View } from "./metrics-view.ts";

const WORDS: Record<Meaning, string> = {
  good: "Goal reached",
  waiting: "On the way",
  warning: "Half spent",
  bad: "Goal missed",
  off: "No goal",
};

export function Parts({ parts }: { parts: View["parts"] }) {
  const goals = parts.filter((part) => part.kind === "goal");
  const charts = parts.filter((part) => part.kind === "chart");
  const others = parts.filter((part) => part.kind === "breakdown" || part.kind === "failed");
  return (
    <>
      {goals.length > 0 && (
        <div class="goals">
          {goals.map(({ goal }) => (
            <GoalCard goal={goal} />
          ))}
        </div>
      )}
      {charts.length > 0 && (
        <div class="charts">
          {charts.map(({ chart }) => (
            <Chart {...chart} />
          ))}
        </div>
      )}
      {others.map((part) => (
        <Other part={part} />
      ))}
    </>
  );
}

function GoalCard({ goal: { title, value, meaning, goal, means, more, chart } }: { goal: Goal }) {
  const hasValue = value.value !== null;
  return (
    <section class={`goal ${meaning}`} aria-label={title}>
      <div class="goal-head">
        <h2>{title}</h2>
        {hasValue && meaning !== "off" && <Badge meaning={meaning}>{WORDS[meaning]}</Badge>}
      </div>
      <p class="goal-value">
        <strong>{shown(value)}</strong> <span class="quiet">{value.label.toLowerCase()}</span>
      </p>
      {value.unit === "share" && <Level part={value.value ?? 0} />}
      <p>{goal}.</p>
      <p class="quiet">{means}</p>
      {more.length > 0 && (
        <dl class="figures">
          {more.map((figure) => (
            <div>
              <dt>{figure.label}</dt>
              <dd>{shown(figure)}</dd>
            </div>
          ))}
        </dl>
      )}
      {chart !== null && <Chart {...chart} />}
    </section>
  );
}

function Other({ part }: { part: Extract<Part, { kind: "breakdown" | "failed" }> }) {
  if (part.kind === "breakdown") return <Split breakdown={part.breakdown} />;
  return (
    <Panel title={part.title}>
      <Failed error={part.error} what="The numbers" />
    </Panel>
  );
}

function Split({ breakdown: { title, of, rows, empty, next } }: { breakdown: Breakdown }) {
  const { url } = usePage();
  const isFirst = !url.searchParams.has("cursor");
  const columns: Column<BreakdownRow>[] = [
    {
      head: of,
      cell: ({ name, isId, href }) =>
        href === null ? (
          <span class={isId ? "id" : undefined}>{isId ? <code>{name}</code> : name}</span>
        ) : (
          <Link href={href} class="row">
            {isId ? <Id id={name} whole={true} /> : name}
          </Link>
        ),
    },
    ...(rows[0]?.figures ?? []).map(
      ({ label }, i): Column<BreakdownRow> => ({
        head: label,
        numeric: true,
        // Beside an id, a narrow page has room for one.
        wide: i > (rows.some(({ isId, href }) => isId && href !== null) ? 0 : 1),
        cell: ({ figures }) => {
          const figure = figures[i];
          return figure === undefined ? null : shown(figure);
        },
      }),
    ),
    {
      head: "Over time",
      cell: ({ spark, name }) => <Sparkline {...spark} label={`${name} over time`} />,
    },
  ];
  return (
    <Panel title={title}>
      {rows.length === 0 ? (
        <NothingYet what={next === null ? empty : "Nothing on this page."} />
      ) : (
        <Table caption={title} columns={columns} rows={rows} />
      )}
      {(next !== null || !isFirst) && (
        <p class="pager">
          <span>{rows.length} shown, the largest of this page first</span>
          {!isFirst && <Link href={changed(url, { cursor: null })}>First page</Link>}
          {next !== null && <Link href={changed(url, { cursor: next })}>Next page</Link>}
        </p>
      )}
    </Panel>
  );
}

function shown({ value, unit }: Figure): string {
  return value === null ? "–" : inUnit(value, unit);
}
