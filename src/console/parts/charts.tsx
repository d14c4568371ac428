/** Charts: sparklines as inline SVG, and larger ones that a script draws from the table beside them. */
import { inUnit, type Unit } from "../format.ts";
import { type Meaning, sentence } from "./badge.tsx";

const WIDTH = 96;
const HEIGHT = 24;

interface SparklineProps {
  /** Null where there is no value: a gap. */
  values: readonly (number | null)[];
  /** What the line shows, for readers who do not see it. */
  label: string;
  meaning?: Meaning | "accent";
  unit?: Unit;
  /** As wide as the place it stands in. */
  wide?: boolean;
}

export function Sparkline({ values, label, meaning = "off", unit = "count", wide = false }: SparklineProps) {
  const known = values.filter((value) => value !== null);
  const highest = Math.max(Number.MIN_VALUE, ...known);
  const step = values.length > 1 ? (WIDTH - 2) / (values.length - 1) : 0;
  const lines: [x: string, y: string][][] = [[]];
  values.forEach((value, i) => {
    const y = HEIGHT - 1 - (Math.max(0, value ?? 0) / highest) * (HEIGHT - 2);
    if (value === null) lines.push([]);
    else lines.at(-1)?.push([(1 + i * step).toFixed(1), y.toFixed(1)]);
  });
  const last = known.at(-1);
  const said =
    last === undefined
      ? "nothing"
      : `last ${inUnit(last, unit)}, highest ${inUnit(Math.max(...known), unit)}`;
  return (
    <svg
      class={`sparkline ${meaning}${wide ? " wide" : ""}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: ${said}`}
    >
      {lines.filter((points) => points.length > 0).map(sparkPart)}
    </svg>
  );
}

/** A lone point is drawn as a dot. */
function sparkPart(points: readonly [x: string, y: string][]) {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return null;
  const line = points.map((point) => point.join(",")).join(" ");
  if (points.length === 1) return <polyline points={`${line} ${line}`} />;
  return (
    <>
      <polygon points={`${first[0]},${HEIGHT} ${line} ${last[0]},${HEIGHT}`} />
      <polyline points={line} />
    </>
  );
}

export interface Line {
  label: string;
  meaning: Meaning | "accent";
  /** One for each time of the chart; null is a gap. */
  values: readonly (number | null)[];
  /** Of all times together, shown beside the label. */
  total?: number | null;
  /** How a line is drawn, where several have one meaning. */
  stroke?: "solid" | "thin" | "dashed";
}

export interface ChartProps {
  title: string;
  /** The beginnings of periods, ms since the epoch, ascending. */
  times: readonly number[];
  lines: readonly Line[];
  /** Of the values. */
  unit?: Unit;
  /** The length of a period. Days are those of UTC. */
  step?: "minute" | "hour" | "day";
  /** Bars of one period stand on each other, so only counts can be shown with them. */
  kind?: "lines" | "bars";
  /** A line across the chart, where the scale reaches it. */
  goal?: number;
  /** A sentence about what is counted. */
  note?: string;
}

/** The table holds the chart's numbers; where scripts run, it is a click away and the chart is drawn above it. */
export function Chart(props: ChartProps) {
  const { title, times, lines, unit = "count", step = "hour", kind = "lines", goal, note } = props;
  const isEmpty = lines.every(({ values }) => values.every((value) => value === null || value === 0));
  return (
    <figure
      class="chart"
      data-chart={isEmpty ? undefined : kind}
      data-unit={unit}
      data-step={step}
      data-goal={goal}
    >
      <figcaption>
        <span class="chart-title" title={note}>
          {title}
        </span>
        <ul class="keys">
          {lines.map(({ label, meaning, stroke = "solid", total }) => (
            <li>
              <span class={`swatch ${meaning} ${kind} ${stroke}`} aria-hidden="true" />
              {label}
              {total !== undefined && <output>{total === null ? "–" : inUnit(total, unit)}</output>}
            </li>
          ))}
        </ul>
      </figcaption>
      <div class="plot">{isEmpty && <p class="none">Nothing in this time.</p>}</div>
      {!isEmpty && <Numbers times={times} lines={lines} unit={unit} step={step} title={title} />}
    </figure>
  );
}

type NumbersProps = Required<Pick<ChartProps, "title" | "times" | "lines" | "unit" | "step">>;

function Numbers({ title, times, lines, unit, step }: NumbersProps) {
  const length = step === "day" ? 10 : 16;
  return (
    <details>
      <summary>Numbers</summary>
      <div class="scroll">
        <table data-times={times.join()}>
          <caption class="unseen">{title}</caption>
          <thead>
            <tr>
              <th scope="col">{sentence(step)} (UTC)</th>
              {lines.map(({ label, values }) => (
                <th scope="col" data-values={values.join()}>
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {times.map((at, i) => (
              <tr>
                <th scope="row">{new Date(at).toISOString().slice(0, length).replace("T", " ")}</th>
                {lines.map(({ values }) => {
                  const value = values[i] ?? null;
                  return <td>{value === null ? "–" : inUnit(value, unit)}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
