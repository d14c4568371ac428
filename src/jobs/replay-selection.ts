/** Which files a bulk replay concerns, and how many there are. */
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { MAX_COUNT } from "../db/list-count.ts";
import type { OwnerAddress } from "../db/owner-keys.ts";
import { seqAt } from "../gate/file-id.ts";
import { KEEP_ROWS_CROWDED_MS } from "../gate/maintenance.ts";
import type { ReplayWalk } from "../gate/protocol.ts";
import { fileFilterFields, senderFields } from "../inbound/file-list.ts";
import { type GateAddress, gateName, parseGateName } from "../model.ts";
import { err, ok, type Result } from "../result.ts";
import { filesIn, segmentsOf, type TimeRange } from "./archived-files.ts";
import type { Count } from "./job-store.ts";

/** The fields of a request that select files to replay. */
export const replayFields = {
  ...senderFields,
  ...fileFilterFields,
  status: z.enum(["failed", "completed"]).optional(),
  include_completed: z.literal(true).optional(),
};
/** The filters of a job, as its row stores them and answers show them. */
export const fileFilters = z.object({ ...replayFields, until: z.string() });
export type FileFilters = z.infer<typeof fileFilters>;

export interface FileFilter extends Pick<ReplayWalk, "statuses" | "employerId"> {
  range: TimeRange;
}

export function fileFilterOf({
  status,
  include_completed,
  employer_id,
  since,
  until,
}: FileFilters): FileFilter {
  const named = status === undefined ? null : [status];
  return {
    statuses: named ?? (include_completed ? ["failed", "completed"] : ["failed"]),
    employerId: employer_id ?? null,
    range: { from: since === undefined ? 0 : Math.max(0, Date.parse(since)), to: Date.parse(until) },
  };
}

/**
 * The part of the range whose rows a gate may have purged. The archive does not say what became of a file, so its files count as
 * completed. Null if the filter takes no completed files, or if all rows are still there.
 */
export function archivedRange({ statuses, range }: FileFilter, now: number): TimeRange | null {
  const to = Math.min(range.to, now - KEEP_ROWS_CROWDED_MS);
  return statuses.includes("completed") && range.from < to ? { ...range, to } : null;
}

export function ofEmployer(employerId: string | null) {
  return ({ facts }: { facts: { employerId: string } }) =>
    employerId === null || facts.employerId === employerId;
}

const MAX_GATES = 100;
/** Calls of gates that a count makes, and segments that it opens with up to three calls each. A request may make a thousand calls. */
const MAX_CALLS = 100;
const MAX_SEGMENTS = 100;

/** Exact up to {@link MAX_COUNT}, unless more would have to be read than a request may. The gate may have been erased. */
export async function countFiles(
  env: Bindings,
  owner: OwnerAddress,
  gate: GateAddress | null,
  filter: FileFilter,
  now: number,
): Promise<Result<Count, "erased">> {
  const left = { calls: MAX_CALLS, n: MAX_COUNT + 1 };
  let more = false;
  if (gate !== null) {
    const counted = await countRows(env, gate, filter, left);
    if (counted === "erased") return err("erased");
    more = counted === "more" || (await countArchived(env, gate, filter, left, now));
  } else {
    let name = "";
    for (let gates = 0; !more && left.n > 0; gates++) {
      const next = await nextGate(env.DB, owner, name);
      if (next === null) break;
      more = gates === MAX_GATES || (await countRows(env, next, filter, left)) === "more";
      name = gateName(next);
    }
  }
  const n = MAX_COUNT + 1 - left.n;
  return ok({ n: Math.min(n, MAX_COUNT), more: more || n > MAX_COUNT });
}

async function countRows(
  env: Bindings,
  gate: GateAddress,
  { statuses, employerId, range }: FileFilter,
  left: { calls: number; n: number },
): Promise<"all" | "more" | "erased"> {
  const stub = env.CONNECTION_GATE.getByName(gateName(gate));
  let from: string | null = seqAt(range.from);
  const to = seqAt(range.to);
  while (from !== null && left.n > 0) {
    if (left.calls-- === 0) return "more";
    const walked = await stub.replayRange({ job: null, from, to, statuses, employerId, limit: left.n });
    if (walked.outcome !== "walked") return walked.outcome === "erased" ? "erased" : "more";
    left.n -= walked.files.length;
    from = walked.next;
  }
  return "all";
}

/** Returns whether there may be more. */
async function countArchived(
  env: Bindings,
  gate: GateAddress,
  filter: FileFilter,
  left: { n: number },
  now: number,
): Promise<boolean> {
  const range = archivedRange(filter, now);
  if (range === null) return false;
  const stub = env.CONNECTION_GATE.getByName(gateName(gate));
  // A put that met its deadline may have left a second segment with the same files.
  const found = new Set<string>();
  let segments = 0;
  for await (const key of segmentsOf(env.ARCHIVE, gate, range, "")) {
    if (left.n <= found.size) break;
    if (segments++ === MAX_SEGMENTS) return true;
    const files = (await filesIn(env.ARCHIVE, key, range)).filter(ofEmployer(filter.employerId));
    const restored = files.length === 0 ? null : await stub.restore(null, files);
    if (restored?.outcome === "restored") for (const { fileId } of restored.files) found.add(fileId);
  }
  left.n = Math.max(0, left.n - found.size);
  return false;
}

/** The gates of an owner's connections and keys, in the order of their names. */
export async function nextGate(
  db: D1Database,
  { type, id }: OwnerAddress,
  after: string,
): Promise<GateAddress | null> {
  const row = await db
    .prepare(
      `SELECT name FROM (
         SELECT 'connection:' || id AS name FROM connections WHERE owner_type = ?1 AND owner_id = ?2 AND deleted_at IS NULL
         UNION ALL SELECT 'key:' || id FROM api_keys WHERE owner_type = ?1 AND owner_id = ?2)
       WHERE name > ?3 ORDER BY name LIMIT 1`,
    )
    .bind(type, id, after)
    .first<{ name: string }>();
  return row === null ? null : parseGateName(row.name);
}
