/** A bar chart of reports accepted per second, by body size and server. Pure; SVG without a style sheet. */

export interface Bars {
  label: string;
  bars: { name: string; median: number; low: number; high: number }[];
}

const COLOURS: Record<string, string> = { floor: "#9aa5b1", gateway: "#1f6feb", express: "#d29922" };
const WIDTH = 720;
const LEFT = 130;
const RIGHT = 120;
const BAR = 18;
const GAP = 16;
const TOP = 54;

/** Each group has its own scale: bodies of 1 MB and of 300 bytes are not comparable. */
export function chart(title: string, subtitle: string, groups: readonly Bars[]): string {
  let y = TOP;
  const parts: string[] = [];
  for (const { label, bars } of groups) {
    const scale = (WIDTH - LEFT - RIGHT) / Math.max(...bars.map((bar) => bar.high));
    parts.push(text(LEFT - 12, y + (bars.length * BAR) / 2 + 5, label, "end", 14));
    for (const { name, median, low, high } of bars) {
      const middle = y + BAR / 2;
      const value = `${Math.round(median).toLocaleString("en-US")} ${name}`;
      parts.push(
        `<rect x="${LEFT}" y="${y + 1}" width="${fixed(median * scale)}" height="${BAR - 3}" fill="${COLOURS[name] ?? "#666"}"/>`,
        `<path d="M${fixed(LEFT + low * scale)} ${middle}H${fixed(LEFT + high * scale)}" stroke="#24292f"/>`,
        text(LEFT + high * scale + 8, middle + 4, value, "start", 12),
      );
      y += BAR;
    }
    y += GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" fill="#24292f">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${y}" fill="#fff"/>`,
    text(LEFT, 22, title, "start", 16),
    text(LEFT, 40, subtitle, "start", 11),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function text(x: number, y: number, words: string, anchor: "start" | "end", size: number): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}" font-size="${size}">${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function fixed(value: number): string {
  return value.toFixed(1);
}
