/** Times in the viewer's zone, and "2 min ago" that stays true. The exact UTC instant is on hover and on copy. */

const instant = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const UNITS = [
  ["d", 86_400, 172_800],
  ["h", 3_600, 7_200],
  ["min", 60, 120],
  ["s", 1, 5],
] as const;

export function showTimes(root: ParentNode): void {
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-instant]"))
    time.textContent = instant.format(new Date(time.dateTime));
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-relative]"))
    time.textContent = relative((Date.parse(time.dateTime) - Date.now()) / 1_000);
}

function relative(seconds: number): string {
  const size = Math.abs(seconds);
  for (const [unit, of, from] of UNITS) {
    if (size < from) continue;
    const text = `${Math.round(size / of)} ${unit}`;
    return seconds < 0 ? `${text} ago` : `in ${text}`;
  }
  return "just now";
}
