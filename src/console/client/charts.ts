/** Draws each chart from the table of numbers beside it. */
import uPlot from "uplot";

const HEIGHT = 120;

function draw(figure: HTMLElement): void {
  const plot = figure.querySelector<HTMLElement>(".plot");
  const table = figure.querySelector("table");
  if (plot === null || table === null) return;
  const heads = [...table.querySelectorAll<HTMLElement>("thead th[data-meaning]")];
  const rows = [...table.querySelectorAll("tbody tr")];
  const times = rows.map((row) => Number(row.querySelector<HTMLElement>("[data-at]")?.dataset.at) / 1_000);
  const values = heads.map((_, i) =>
    rows.map((row) => {
      const text = row.querySelectorAll<HTMLElement>("[data-value]")[i]?.dataset.value;
      return text === undefined || text === "" ? null : Number(text);
    }),
  );
  const style = getComputedStyle(figure);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("quiet"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui",
  };
  const unit = figure.dataset.chart ?? "";
  const chart = new uPlot(
    {
      width: plot.clientWidth,
      height: HEIGHT,
      padding: [8, 8, 0, 0],
      legend: { show: true, live: true },
      cursor: { y: false },
      axes: [axis, { ...axis, size: 56 }],
      series: [
        {},
        ...heads.map((head) => ({
          label: head.textContent ?? "",
          stroke: colour(head.dataset.meaning ?? "accent"),
          width: 1.5,
          spanGaps: false,
          points: { show: times.length < 30 },
          value: (_: uPlot, value: number | null) =>
            value === null ? "–" : `${value.toLocaleString()} ${unit}`,
        })),
      ],
    },
    [times, ...values],
    plot,
  );
  new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: HEIGHT })).observe(plot);
}

for (const figure of document.querySelectorAll<HTMLElement>("figure[data-chart]")) draw(figure);
