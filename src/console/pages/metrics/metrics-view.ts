/** What a view of the page Metrics shows, whether as a page or as CSV: both are made of the same parts. */
import type { ApiError } from "../../api.ts";
import type { Unit } from "../../format.ts";
import type { Meaning } from "../../parts/badge.tsx";
import type { ChartProps } from "../../parts/charts.tsx";

export interface Figure {
  label: string;
  value: number | null;
  unit: Unit;
}

/** One of the developer guide's business metrics. */
export interface Goal {
  title: string;
  /** The number by which the metric is judged. */
  value: Figure;
  meaning: Meaning;
  /** What is aimed at, in words. */
  goal: string;
  /** What the number says. */
  means: string;
  more: readonly Figure[];
  chart: ChartProps | null;
}

/** A whole, split into rows. */
export interface Breakdown {
  title: string;
  /** What each row is: `Connection`. */
  of: string;
  rows: readonly BreakdownRow[];
  /** The beginnings of the periods of the sparklines, ms. */
  times: readonly number[];
  /** If there are no rows. */
  empty: string;
  /** The cursor of the next page. */
  next: string | null;
}

export interface BreakdownRow {
  name: string;
  /** An id or a code, which is shown as it is. */
  isId: boolean;
  href: string | null;
  figures: readonly Figure[];
  /** The first figure, or what stands for it, by period. */
  spark: { values: readonly (number | null)[]; unit: Unit; meaning: Meaning | "accent" };
}

export type Part =
  | { kind: "goal"; goal: Goal }
  | { kind: "chart"; chart: ChartProps }
  | { kind: "breakdown"; breakdown: Breakdown }
  | { kind: "failed"; title: string; error: ApiError };

export interface View {
  parts: readonly Part[];
  /** Everything before this is counted. Null if nothing could be read. */
  asOf: string | null;
}
