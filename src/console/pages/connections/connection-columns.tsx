/** The columns of the list of connections. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import { Badge, StateBadge, sentence } from "../../parts/badge.tsx";
import { Sparkline } from "../../parts/charts.tsx";
import type { Column } from "../../parts/table.tsx";
import { Id, Maybe, number, Time } from "../../parts/values.tsx";
import type { DayOfHours } from "./connection-usage.ts";

export function columnsOf(dayOf: ((id: string) => DayOfHours) | null): Column<ShownConnection>[] {
  return [
    {
      head: "Connection",
      cell: ({ id, description }) => <ConnectionName id={id} description={description} />,
    },
    { head: "Status", cell: ({ status }) => <StateBadge state={status} /> },
    {
      head: "Environment",
      wide: true,
      cell: ({ environment }) =>
        environment === "sandbox" ? <Badge meaning="warning">Sandbox</Badge> : sentence(environment),
    },
    { head: "Plan", wide: true, cell: ({ plan }) => sentence(plan) },
    { head: "Employer", wide: true, cell: ({ employer_id }) => <Maybe value={employer_id} /> },
    { head: "Last report", cell: ({ last_report_at }) => <LastReport at={last_report_at} /> },
    {
      head: "Accepted",
      numeric: true,
      wide: true,
      cell: ({ id }) => <Hours label="Accepted per hour" meaning="good" values={dayOf?.(id).accepted} />,
    },
    {
      head: "Refused",
      numeric: true,
      wide: true,
      cell: ({ id }) => <Hours label="Refused per hour" meaning="bad" values={dayOf?.(id).refused} />,
    },
  ];
}

/** What people call a connection: its description, or its id. */
function ConnectionName({ id, description }: Pick<ShownConnection, "id" | "description">) {
  if (description === null || description === "") return <Id id={id} />;
  return (
    <span class="named">
      <span class="name">{description}</span> <Id id={id} />
    </span>
  );
}

/** Undefined: the gate did not say. */
export function LastReport({ at }: { at: string | null | undefined }) {
  if (at === undefined) return <span class="none">not known</span>;
  if (at === null) return <span class="none">none</span>;
  return <Time at={at} />;
}

function Hours({
  label,
  meaning,
  values,
}: {
  label: string;
  meaning: "good" | "bad";
  values: readonly number[] | undefined;
}) {
  if (values === undefined) return <span class="none">–</span>;
  const sum = values.reduce((total, value) => total + value, 0);
  return (
    <span class="with-sparkline">
      <Sparkline values={values} label={label} meaning={sum === 0 ? "off" : meaning} />
      <span>{number(sum)}</span>
    </span>
  );
}
