/** What is drawn in a chart besides lines. */
import uPlot from "uplot";

const paths = uPlot.paths.bars?.({ size: [0.72, 32] });
export const bars = paths === undefined ? {} : { paths };

/** The points without neighbours, of which no line is drawn. */
export function lonely(u: uPlot, series: number): number[] {
  const values = u.data[series] ?? [];
  const isGap = (i: number) => values[i] === null || values[i] === undefined;
  return [...values.keys()].filter((i) => !isGap(i) && isGap(i - 1) && isGap(i + 1));
}

/** A dotted line across the chart, if the scale reaches it. */
export function drawGoal({ ctx, bbox, valToPos, scales }: uPlot, goal: number, ground: HTMLElement): void {
  if (goal > (scales.y?.max ?? 0)) return;
  const y = Math.round(valToPos(goal, "y", true));
  ctx.save();
  ctx.strokeStyle = getComputedStyle(ground).color;
  ctx.setLineDash([2, 4]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
