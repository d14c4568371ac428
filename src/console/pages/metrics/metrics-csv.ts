/**
 * A view as CSV (RFC 4180), with a row for every number: those of the page, and those that its sparklines are drawn from. Times are UTC, and
 * numbers are in the unit of their row, unrounded. Pure.
 */
import type { Unit } from "../../format.ts";
import type { ChartProps } from "../../parts/charts.tsx";
import type { Breakdown, Figure, Goal, Part } from "./metrics-view.ts";

type Row = readonly [
  chart: string,
  series: string,
  figure: string,
  from: string,
  value: number | null,
  unit: string,
];
const HEAD = ["chart", "series", "figure", "from", "value", "unit"];

/** In words that a reader of a spreadsheet knows. */
const UNITS: Record<Unit, string> = {
  ms: "milliseconds",
  bytes: "bytes",
  share: "share",
  cents: "cents",
  count: "count",
};

export function csvOf(parts: readonly Part[]): string {
  const rows = parts.flatMap(rowsOf);
  const lines = rows.map((row) => row.map((cell) => (typeof cell === "string" ? safe(cell) : (cell ?? ""))));
  return [HEAD, ...lines].map((line) => `${line.join(",")}\r\n`).join("");
}

function rowsOf(part: Part): Row[] {
  switch (part.kind) {
    case "goal":
      return goalRows(part.goal);
    case "chart":
      return chartRows(part.chart, part.chart.title);
    case "breakdown":
      return breakdownRows(part.breakdown);
    case "failed":
      return [];
  }
}

function goalRows({ title, value, more, chart }: Goal): Row[] {
  return [
    ...[value, ...more].map((figure) => figureRow(title, "", figure)),
    ...(chart === null ? [] : chartRows(chart, title)),
  ];
}

function chartRows({ times, lines, unit = "count" }: ChartProps, title: string): Row[] {
  return lines.flatMap(({ label, values, total }) => [
    ...(total === undefined ? [] : [[title, label, "Total", "", total, UNITS[unit]] as const]),
    ...times.map((at, i) => [title, label, "", iso(at), values[i] ?? null, UNITS[unit]] as const),
  ]);
}

function breakdownRows({ title, rows, times }: Breakdown): Row[] {
  return rows.flatMap(({ name, figures, spark }) => [
    ...figures.map((figure) => figureRow(title, name, figure)),
    ...times.map((at, i) => [title, name, "", iso(at), spark.values[i] ?? null, UNITS[spark.unit]] as const),
  ]);
}

function figureRow(title: string, series: string, { label, value, unit }: Figure): Row {
  return [title, series, label, "", value, UNITS[unit]];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Spreadsheets run texts that begin like a formula. An apostrophe makes them text. */
function safe(text: string): string {
  const harmless = /^[\s]*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
