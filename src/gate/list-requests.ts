/** A page of a gate's requests: the accepted ones from its file rows, the others from its evidence. */
import {
  isBefore,
  mergeParts,
  type PartOfPage,
  type PlacedRequest,
  type RequestPage,
  type RequestQuery,
} from "../evidence/request-page.ts";
import { fileIdOf, mintedAt, seqAt } from "./file-id.ts";
import { acceptedEntry } from "./find-request.ts";
import type { GateState } from "./state.ts";

/** Accepted requests are counted under this name. The requests themselves have no code. */
const ACCEPTED = "ACCEPTED";
/** The file rows that one page reads. */
const ROWS_PER_PAGE = 2_000;
const ROWS_AT_A_TIME = 200;
/** Counting goes no further. */
const MOST_COUNTED = 10_000;

/** `pause`: see `CodeCounts.between`. */
export async function listRequests(
  state: GateState,
  query: RequestQuery,
  pause: () => Promise<void>,
): Promise<RequestPage> {
  const { evidence, files } = state;
  const merged = mergeParts([acceptedRequests(state, query), evidence.page(query)], query.limit);
  const counts = await evidence.codes.between(query.since, query.until, pause);
  const accepted = files.countBetween(query.since, query.until, MOST_COUNTED);
  return { ...merged, counts: accepted === 0 ? counts : { [ACCEPTED]: accepted, ...counts } };
}

function acceptedRequests(state: GateState, query: RequestQuery): PartOfPage {
  const { outcome, code, since, until, before, limit } = query;
  const requests: PlacedRequest[] = [];
  if ((outcome !== null && outcome !== "accepted") || (code !== null && code !== ACCEPTED))
    return { requests, more: false, readTo: null };
  const end = Math.min(until, before === null ? Number.POSITIVE_INFINITY : before.at + 1);
  let from: string | null = Number.isFinite(end) ? seqAt(end) : null;
  for (let read = 0; read < ROWS_PER_PAGE; read += ROWS_AT_A_TIME) {
    const rows = state.files.list(from, ROWS_AT_A_TIME);
    for (const row of rows) {
      const { seq } = row;
      const at = mintedAt(seq);
      if (at < since) return { requests, more: false, readTo: null };
      const entry = acceptedEntry(fileIdOf(state.gate, seq), row, state.erased);
      const placed = { at, tie: seq, entry };
      if (at < until && isBefore(placed, before)) requests.push(placed);
      if (requests.length > limit) return { requests, more: true, readTo: null };
    }
    const last = rows.at(-1);
    if (rows.length < ROWS_AT_A_TIME || last === undefined) return { requests, more: false, readTo: null };
    from = last.seq;
  }
  return { requests, more: true, readTo: from === null ? null : mintedAt(from) + 1 };
}
