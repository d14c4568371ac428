/** Pages of requests, newest first, and how pages of several places are merged. Pure. */
import type { RequestEntry, RequestOutcome } from "./request-entry.ts";

/** The place of a request in the order of time. The text decides between requests of one millisecond. */
interface RequestPosition {
  at: number;
  tie: string;
}

export interface RequestQuery {
  outcome: RequestOutcome | null;
  code: string | null;
  /** Inclusive, ms. */
  since: number;
  /** Exclusive, ms. */
  until: number;
  /** Only requests before this position. */
  before: RequestPosition | null;
  limit: number;
}

export interface PlacedRequest {
  at: number;
  tie: string;
  entry: RequestEntry;
}

/** The requests that one place has read for a page. */
export interface PartOfPage {
  /** Newest first. */
  requests: PlacedRequest[];
  /** The place may have earlier requests. */
  more: boolean;
  /** If the place stopped before it had found `limit` requests: it has read every request at or after this. */
  readTo: number | null;
}

export interface RequestPage {
  requests: PlacedRequest[];
  /** Where the next page begins; null at the end. */
  next: RequestPosition | null;
  /** Over the window of the query, whatever is on the page. */
  counts: Record<string, number>;
}

export function isBefore({ at, tie }: PlacedRequest, position: RequestPosition | null): boolean {
  if (position === null) return true;
  return at < position.at || (at === position.at && tie < position.tie);
}

/** One page of all parts. A page ends where one part has stopped reading, so that no request is passed over. */
export function mergeParts(
  parts: readonly PartOfPage[],
  limit: number,
): Pick<RequestPage, "requests" | "next"> {
  const readTo = Math.max(...parts.map((part) => part.readTo ?? Number.NEGATIVE_INFINITY));
  const found = parts
    .flatMap(({ requests }) => requests)
    .filter(({ at }) => at >= readTo)
    .sort((a, b) => (isBefore(a, b) ? 1 : -1));
  const requests = found.slice(0, limit);
  const last = requests.at(-1);
  if (found.length > limit && last !== undefined) return { requests, next: { at: last.at, tie: last.tie } };
  if (Number.isFinite(readTo)) return { requests, next: { at: readTo, tie: "" } };
  const more = parts.some((part) => part.more);
  return { requests, next: more && last !== undefined ? { at: last.at, tie: last.tie } : null };
}

/** A page of another object, as a part of a page that merges several. */
export function partOf({ requests, next }: RequestPage, limit: number): PartOfPage {
  const stopped = next !== null && requests.length < limit;
  return { requests, more: next !== null, readTo: stopped ? next.at : null };
}
