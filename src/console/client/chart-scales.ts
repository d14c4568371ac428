/** The axes of charts: round steps in the unit of the values, times in the viewer's zone, days in UTC. */
import type uPlot from "uplot";
import { inUnit, type Unit } from "../format.ts";

/** The lengths of periods. */
export const STEP_SECONDS: Record<string, number> = { minute: 60, hour: 3_600, day: 86_400 };

interface Scale {
  unit: Unit;
  step: string;
  /** The element whose colours the axes take. */
  ground: HTMLElement;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEPS_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * MINUTE),
  ...[1, 2, 4, 6, 12, 24, 48, 120, 240].map((n) => n * HOUR),
];
const WHOLE_STEPS = Array.from({ length: 13 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export function axesOf({ unit, step, ground }: Scale): uPlot.Axis[] {
  const style = getComputedStyle(ground);
  const axis = {
    stroke: style.color,
    grid: { stroke: style.borderTopColor, width: 1 },
    ticks: { show: false },
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
  };
  const steps = { ms: STEPS_MS, bytes: WHOLE_STEPS, count: WHOLE_STEPS, cents: WHOLE_STEPS, share: null }[
    unit
  ];
  return [
    {
      ...axis,
      grid: { show: false },
      size: 24,
      space: 64,
      values: (_, splits) => splits.map((at, i) => timeLabel(at, splits[i - 1], step)),
    },
    {
      ...axis,
      size: 52,
      space: 28,
      ...(steps !== null && { incrs: steps }),
      values: (_, splits) => splits.map((value) => axisLabel(value, unit)),
    },
  ];
}

function axisLabel(value: number, unit: Unit): string {
  if (value === 0) return "0";
  if (unit === "count") return compact.format(value);
  if (unit === "cents") return `${value < 0 ? "-" : ""}$${compact.format(Math.abs(value) / 100)}`;
  return inUnit(value, unit).replace(/\.0+ /, " ");
}

/** From nothing, or a little below the lowest value, to a little above the highest one. */
export function valueRange(lowest: number | null, highest: number | null, unit: Unit): [number, number] {
  const least = unit === "share" ? 0.01 : 1;
  return [Math.min(0, (lowest ?? 0) * 1.08), Math.max(least, (highest ?? 0) * 1.08)];
}

const day = (step: string) =>
  new Intl.DateTimeFormat(undefined, {
    day: "numeric",
    month: "short",
    timeZone: step === "day" ? "UTC" : undefined,
  });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Days by their date, hours by their time, and the first one of a day by its date. */
function timeLabel(at: number, before: number | undefined, step: string): string {
  const time = new Date(at * SECOND);
  if (step === "day") return day(step).format(time);
  const isNewDay = before === undefined || new Date(before * SECOND).getDate() !== time.getDate();
  return isNewDay ? day(step).format(time) : hour.format(time);
}

/** The period that begins at `at`. */
export function periodLabel(at: number, step: string): string {
  const time = new Date(at * SECOND);
  if (step === "day") return `${day(step).format(time)} (UTC)`;
  return `${day(step).format(time)}, ${hour.format(time)} to ${hour.format(new Date((at + (STEP_SECONDS[step] ?? 3_600)) * SECOND))}`;
}

export function shown(value: number | null, unit: Unit): string {
  return value === null ? "–" : inUnit(value, unit);
}
