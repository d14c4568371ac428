/** The series of a chart: their values from its table, their colours from the swatches of its keys. */

export interface Series {
  /** Null is a gap. */
  values: (number | null)[];
  /** Colours as a canvas takes them. */
  colour: string;
  faded: string;
  width: number;
  dash: number[];
}

export function seriesOf(table: HTMLTableElement, keys: readonly HTMLElement[]): Series[] {
  return [...table.querySelectorAll<HTMLElement>("th[data-values]")].map((head, i) => {
    const swatch = keys[i]?.querySelector<HTMLElement>(".swatch");
    const style = swatch ? getComputedStyle(swatch) : undefined;
    const has = (name: string) => swatch?.classList.contains(name) ?? false;
    return {
      values: (head.dataset.values ?? "").split(",").map((text) => (text === "" ? null : Number(text))),
      colour: style?.color ?? "gray",
      faded: style?.backgroundColor ?? "gray",
      width: has("thin") || has("dashed") ? 1 : 2,
      dash: has("dashed") ? [4, 3] : [],
    };
  });
}

/** Each series on top of those before it. A period without any value is a gap. */
export function stacked(lines: readonly Series[]): (number | null)[][] {
  const heights: (number | null)[] = [];
  return lines.map(({ values }) =>
    values.map((value, i) => {
      if (value !== null) heights[i] = (heights[i] ?? 0) + value;
      return heights[i] ?? null;
    }),
  );
}
