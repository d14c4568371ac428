/** Lists the table `attention`: all stuck files for operators, and those of an owner. */
import * as z from "zod";
import { type ListCount, listCount, MAX_COUNT } from "../db/list-count.ts";
import type { OwnerAddress } from "../db/owner-keys.ts";
import { parseFileId, seqAt } from "../gate/file-id.ts";
import type { Environment } from "../model.ts";
import { FAILED_REASONS, STUCK_REASONS, type StuckReason } from "./stuck-files.ts";

/** Times are milliseconds, from `since` up to but not including `until`. */
interface TimeRange {
  since?: number | undefined;
  until?: number | undefined;
}

/** By when a file was first stuck. */
export interface StuckFileFilter extends TimeRange {
  reason?: StuckReason | undefined;
}

const stuckFile = z.object({
  file_id: z.string(),
  reason: z.enum(STUCK_REASONS),
  response_status: z.number().nullable(),
  attempts: z.number(),
  next_attempt_at: z.number().nullable(),
  first_at: z.number(),
  updated_at: z.number(),
});
export type StuckFile = z.infer<typeof stuckFile>;

/** The sort key of the operators' list. */
export type StuckFilePosition = [firstAt: number, fileId: string];

/** The file that was stuck last comes first. Reads up to `limit + 1` rows after the position. */
export async function listStuckFiles(
  db: D1Database,
  filter: StuckFileFilter,
  after: StuckFilePosition | null,
  limit: number,
): Promise<StuckFile[]> {
  const { where, values } = stuckIn(filter, after);
  const { results } = await db
    .prepare(
      `SELECT file_id, reason, response_status, attempts, next_attempt_at, first_at, updated_at FROM attention
       WHERE ${where} ORDER BY first_at DESC, file_id DESC LIMIT ${limit + 1}`,
    )
    .bind(...values)
    .all();
  return results.map((row) => stuckFile.parse(row));
}

export async function countStuckFiles(db: D1Database, filter: StuckFileFilter): Promise<ListCount> {
  const { where, values } = stuckIn(filter, null);
  const row = await db
    .prepare(`SELECT count(*) AS found FROM (SELECT 1 FROM attention WHERE ${where} LIMIT ${MAX_COUNT + 1})`)
    .bind(...values)
    .first();
  return listCount(foundRow.parse(row).found, true);
}
const foundRow = z.object({ found: z.number() });

function stuckIn({ reason, since, until }: StuckFileFilter, after: StuckFilePosition | null) {
  const end = until ?? Number.MAX_SAFE_INTEGER;
  const [before, fileId] = after === null || after[0] >= end ? [end, ""] : after;
  const ofReason = reason === undefined ? "" : "reason = ?4 AND ";
  return {
    where: `${ofReason}first_at >= ?1 AND (first_at, file_id) < (?2, ?3)`,
    values: [since ?? 0, before, fileId, ...(reason === undefined ? [] : [reason])],
  };
}

/** By when a file came. */
export interface OwnFileFilter extends TimeRange {
  status?: "queued" | "failed" | undefined;
  employerId?: string | undefined;
}

export interface FileIdPage {
  fileIds: string[];
  /** The file to continue after. Null at the end of the list. */
  next: string | null;
}

/** A filtered page walks past at most this many files, and a filtered list is counted among at most the others. Each is two rows to read. */
const WALKED = 400;
const EXAMINED = 500;

/** The stuck files of an owner, the newest file first, at most `limit`. May be fewer although the list continues. */
export async function listStuckFilesOf(
  db: D1Database,
  owner: OwnerAddress,
  environment: Environment,
  filter: OwnFileFilter,
  { after, limit }: { after: string | null; limit: number },
): Promise<FileIdPage> {
  const { range, matches, isFiltered, values } = ofOwner(owner, environment, filter, after);
  const most = isFiltered ? WALKED : limit + 1;
  const { results } = await db
    .prepare(
      `SELECT file_id, ${matches} AS matches FROM attention WHERE ${range}
       ORDER BY seq DESC, file_id DESC LIMIT ${most}`,
    )
    .bind(...values)
    .all();
  const walked = z.array(walkedRow).parse(results);
  const found = walked.filter((row) => row.matches === 1).map((row) => row.file_id);
  const fileIds = found.slice(0, limit);
  if (found.length > limit) return { fileIds, next: fileIds.at(-1) ?? null };
  return { fileIds, next: walked.length < most ? null : (walked.at(-1)?.file_id ?? null) };
}
const walkedRow = z.object({ file_id: z.string(), matches: z.number() });

/** Exact up to {@link MAX_COUNT} if the filter is only a range of time. Otherwise it may be a least number. */
export async function countStuckFilesOf(
  db: D1Database,
  owner: OwnerAddress,
  environment: Environment,
  filter: OwnFileFilter,
): Promise<ListCount> {
  const { range, matches, isFiltered, values } = ofOwner(owner, environment, filter, null);
  const most = isFiltered ? EXAMINED : MAX_COUNT + 1;
  const row = await db
    .prepare(
      `SELECT count(*) AS examined, coalesce(sum(matches), 0) AS found
       FROM (SELECT ${matches} AS matches FROM attention WHERE ${range} LIMIT ${most})`,
    )
    .bind(...values)
    .first();
  const { examined, found } = countedRow.parse(row);
  return listCount(found, examined < most);
}
const countedRow = z.object({ examined: z.number(), found: z.number() });

const HAS_FAILED = `reason IN (${FAILED_REASONS.map((reason) => `'${reason}'`).join(", ")})`;

function ofOwner(
  { type, id }: OwnerAddress,
  environment: Environment,
  { status, employerId, since, until }: OwnFileFilter,
  after: string | null,
) {
  const end = until === undefined ? null : seqAt(Math.max(0, until));
  const seq = after === null ? null : (parseFileId(after)?.seq ?? null);
  const continues = seq !== null && (end === null || seq < end);
  const values: unknown[] = [type, id, environment, seqAt(since ?? 0)];
  values.push(continues ? seq : (end ?? AFTER_EVERY_SEQ), continues ? after : "");
  const conditions: string[] = [];
  if (status !== undefined) conditions.push(status === "failed" ? HAS_FAILED : `NOT ${HAS_FAILED}`);
  if (employerId !== undefined) conditions.push(`employer_id IS ?${values.push(employerId)}`);
  return {
    range:
      "owner_type = ?1 AND owner_id = ?2 AND environment = ?3 AND seq >= ?4 AND (seq, file_id) < (?5, ?6)",
    matches: conditions.length === 0 ? "1" : conditions.join(" AND "),
    isFiltered: conditions.length > 0,
    values,
  };
}

const AFTER_EVERY_SEQ = "~";
