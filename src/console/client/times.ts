/** Times in the viewer's zone, and "2 min ago" that stays true. The exact UTC instant is on hover and on copy. */
import { relative } from "../format.ts";

const instant = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

export function showTimes(root: ParentNode): void {
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-instant]"))
    time.textContent = instant.format(new Date(time.dateTime));
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-relative]"))
    time.textContent = relative(Date.parse(time.dateTime) - Date.now());
}
