/** What the reader chooses: the time, the steps, the object, and what is compared. All of it is in the address. */
import { usePage } from "../../page-state.ts";
import { Filters } from "../../parts/filters.tsx";
import { Hidden, ScopeInputs } from "../../parts/scope-fields.tsx";
import { type Choice, COMPARED, splitsOf } from "./compare-view.ts";
import { RANGES, TIME_PARAMETERS } from "./metrics-query.ts";

const KEPT = [...TIME_PARAMETERS, "of"] as const;

export function MetricFilters() {
  return (
    <Filters
      filters={[
        { name: "range", label: "Time", options: RANGES, any: "Last 30 days" },
        {
          name: "granularity",
          label: "Steps",
          options: [
            { value: "hour", label: "Hours" },
            { value: "day", label: "Days" },
          ],
          any: "As it fits",
        },
        { name: "since", label: "From (UTC)", type: "datetime-local" },
        { name: "until", label: "To (UTC)", type: "datetime-local" },
        { name: "of", label: "Of one object", placeholder: "Id, ak_… or wh_…" },
      ]}
      keep={["tab", "measure", "by"]}
    />
  );
}

export function CompareForm({ choice: { measure, by }, isOfAll }: { choice: Choice; isOfAll: boolean }) {
  const { url } = usePage();
  const kept = Object.fromEntries(KEPT.map((name) => [name, url.searchParams.get(name)]));
  return (
    <form method="get" action={url.pathname} class="filters compare">
      <ScopeInputs />
      <Hidden values={{ ...kept, tab: "senders" }} />
      <p class="field">
        <label for="compare-measure">Compare</label>
        <select id="compare-measure" name="measure">
          {COMPARED.map(({ value, label }) => (
            <option value={value} selected={value === measure}>
              {label}
            </option>
          ))}
        </select>
      </p>
      <p class="field">
        <label for="compare-by">By</label>
        <select id="compare-by" name="by">
          {splitsOf(measure, isOfAll).map(({ value, label }) => (
            <option value={value} selected={value === by}>
              {label}
            </option>
          ))}
        </select>
      </p>
      <button type="submit">Compare</button>
    </form>
  );
}
