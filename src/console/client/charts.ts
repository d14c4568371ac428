/** Draws each chart from the table of numbers beside it. Charts of one page show the same time under the pointer. */
import uPlot from "uplot";
import type { Unit } from "../format.ts";
import { bars, drawGoal, lonely } from "./chart-marks.ts";
import { axesOf, periodLabel, STEP_SECONDS, shown, valueRange } from "./chart-scales.ts";
import { type Series, seriesOf, stacked } from "./chart-series.ts";

const HEIGHT = 120;

function draw(figure: HTMLElement): void {
  const plot = figure.querySelector<HTMLElement>(".plot");
  const table = figure.querySelector<HTMLTableElement>("table[data-times]");
  if (plot === null || table === null) return;
  const { unit = "count", step = "hour", chart: kind, goal: goalText } = figure.dataset;
  const stepSeconds = STEP_SECONDS[step] ?? 3_600;
  const isBars = kind === "bars";
  const times = (table.dataset.times ?? "").split(",").map((at) => Number(at) / 1_000 + stepSeconds / 2);
  const keys = [...figure.querySelectorAll<HTMLElement>(".keys li")];
  const lines = seriesOf(table, keys);
  const scale = { unit: unit as Unit, step, ground: figure };
  const totals = keys.map((key) => key.querySelector("output")?.textContent ?? "");
  const title = figure.querySelector<HTMLElement>(".chart-title");
  const name = title?.textContent ?? "";
  const goal = goalText === undefined ? null : Number(goalText);

  /** Shows the numbers under the pointer, or the totals. */
  const tell = (index: number | null | undefined) => {
    const at = index === null || index === undefined ? undefined : times[index];
    if (title !== null) title.textContent = at === undefined ? name : periodLabel(at - stepSeconds / 2, step);
    keys.forEach((key, i) => {
      const output = key.querySelector("output") ?? key.appendChild(document.createElement("output"));
      output.textContent =
        at === undefined ? (totals[i] ?? "") : shown(lines[i]?.values[index ?? 0] ?? null, scale.unit);
    });
  };
  plot.replaceChildren();
  const chart = new uPlot(
    {
      width: plot.clientWidth,
      height: HEIGHT,
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        sync: { key: `charts-${step}` },
        drag: { x: false, y: false },
        points: { size: 6, show: !isBars },
      },
      scales: {
        x: { range: () => [(times[0] ?? 0) - stepSeconds / 2, (times.at(-1) ?? 0) + stepSeconds / 2] },
        y: { range: (_, lowest, highest) => valueRange(lowest, highest, scale.unit) },
      },
      axes: axesOf(scale),
      series: [{}, ...(isBars ? lines.toReversed() : lines).map((line) => optionsOf(line, isBars))],
      hooks: {
        setCursor: [({ cursor: { idx } }) => tell(idx)],
        draw: [(u) => goal !== null && drawGoal(u, goal, figure)],
      },
      ...(step === "day" && { tzDate: (at: number) => uPlot.tzDate(new Date(at * 1_000), "Etc/UTC") }),
    },
    [times, ...(isBars ? stacked(lines).toReversed() : lines.map(({ values }) => values))],
    plot,
  );
  new ResizeObserver(() => {
    if (plot.isConnected && plot.clientWidth > 0) chart.setSize({ width: plot.clientWidth, height: HEIGHT });
  }).observe(plot);
  figure.dataset.drawn = "";
}

function optionsOf({ colour, faded, dash, width }: Series, isBars: boolean): uPlot.Series {
  if (isBars) return { fill: faded, width: 0, points: { show: false }, ...bars };
  return { stroke: colour, width, dash, spanGaps: false, points: { show: false, filter: lonely, size: 4 } };
}

function drawAll(selector: string): void {
  for (const figure of document.querySelectorAll<HTMLElement>(selector)) draw(figure);
}

drawAll("figure[data-chart]");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll("figure[data-chart]"));
// Parts of the page that refresh themselves bring charts that are not drawn yet.
new MutationObserver(() => drawAll("figure[data-chart]:not([data-drawn])")).observe(document.body, {
  childList: true,
  subtree: true,
});
