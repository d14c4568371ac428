/** Charts: sparklines as inline SVG, and larger ones that a script draws from the table beside them. */
import type { Meaning } from "./badge.tsx";
import { number } from "./values.tsx";

const WIDTH = 96;
const HEIGHT = 24;

interface SparklineProps {
  /** Null where there is no value: a gap. */
  values: readonly (number | null)[];
  /** What the line shows, for readers who do not see it. */
  label: string;
  meaning?: Meaning;
}

export function Sparkline({ values, label, meaning = "off" }: SparklineProps) {
  const highest = Math.max(1, ...values.map((value) => value ?? 0));
  const step = values.length > 1 ? (WIDTH - 2) / (values.length - 1) : 0;
  const lines: string[][] = [[]];
  values.forEach((value, i) => {
    if (value === null) lines.push([]);
    else
      lines
        .at(-1)
        ?.push(`${(1 + i * step).toFixed(1)},${(HEIGHT - 1 - (value / highest) * (HEIGHT - 2)).toFixed(1)}`);
  });
  const last = values.findLast((value) => value !== null);
  return (
    <svg
      class={`sparkline ${meaning}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      role="img"
      aria-label={`${label}: ${last === undefined || last === null ? "nothing" : `last ${number(last)}`}, highest ${number(Math.max(0, ...values.map((value) => value ?? 0)))}`}
    >
      {lines
        .filter((points) => points.length > 0)
        .map((points) => (
          <polyline points={(points.length === 1 ? [...points, ...points] : points).join(" ")} />
        ))}
    </svg>
  );
}

export interface Line {
  label: string;
  meaning: Meaning | "accent";
  /** One for each time of the chart; null is a gap. */
  values: readonly (number | null)[];
}

interface ChartProps {
  title: string;
  /** ms since the epoch, ascending. */
  times: readonly number[];
  lines: readonly Line[];
  /** Of the values, such as `reports` or `ms`. */
  unit: string;
}

/** The table holds the chart's numbers; where scripts run, it is a click away and the chart is drawn above it. */
export function Chart({ title, times, lines, unit }: ChartProps) {
  return (
    <figure class="chart" data-chart={unit}>
      <figcaption>{title}</figcaption>
      <div class="plot" />
      <details>
        <summary>Numbers</summary>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Time (UTC)</th>
                {lines.map(({ label, meaning }) => (
                  <th scope="col" class="numeric" data-meaning={meaning}>
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((at, i) => (
                <tr>
                  <th scope="row" data-at={at}>
                    {new Date(at).toISOString().slice(0, 16).replace("T", " ")}
                  </th>
                  {lines.map(({ values }) => {
                    const value = values[i] ?? null;
                    return (
                      <td class="numeric" data-value={value ?? ""}>
                        {value === null ? "–" : number(value)}
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
