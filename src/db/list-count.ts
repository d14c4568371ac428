/** The counts that lists show beside their first page. Pure. */

/** Counts are exact up to this. */
export const MAX_COUNT = 1_000;

/** A number up to {@link MAX_COUNT}, or a number with a `+`: the list has at least that many entries. */
export type ListCount = number | `${number}+`;

/** `found`: the entries counted. `complete`: whether the whole list was examined, or only its beginning. */
export function listCount(found: number, complete: boolean): ListCount {
  if (found > MAX_COUNT) return `${MAX_COUNT}+`;
  return complete ? found : `${found}+`;
}
