/**
 * Counts by measure, as they are stored and added up: a flat map from a measure's name to a whole number. Counts of any two
 * periods or scopes add up by adding equal names, so every level (hour, day, gate, owner, all) has this one form. Pure.
 *
 * A name is a measure (`accepted`), a measure and a key (`refused:INVALID_SIGNATURE`), or a bucket of a latency's histogram
 * (`latency_accepted:57`, see histogram.ts).
 */
export type Counts = Record<string, number>;

/** Adds `more` to `counts`, in place. */
export function addCounts(counts: Counts, more: Counts): void {
  for (const [name, n] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + n;
}

/** Adds one to a measure, in place. */
export function count(counts: Counts, name: string, n = 1): void {
  if (n !== 0) counts[name] = (counts[name] ?? 0) + n;
}
