/**
 * The rows of jobs. A job is begun with its audit row in one batch, and every step is a compare-and-set on its position: of two
 * crons that work on a job at once, one makes the step.
 */
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { type AuditRow, asStatement, insertAuditIfChanged } from "../db/audit.ts";
import { jsonColumn } from "../db/json-column.ts";
import type { OwnerAddress } from "../db/owner-keys.ts";
import { JOB_KINDS, JOB_STATUSES } from "../db/schema.ts";
import { OWNER_TYPES } from "../model.ts";
import { err, ok, type Result } from "../result.ts";

const jobRow = z.object({
  id: z.string(),
  kind: z.enum(JOB_KINDS),
  owner_type: z.enum(OWNER_TYPES),
  owner_id: z.string(),
  gate: z.string().nullable(),
  filters: jsonColumn(z.record(z.string(), z.unknown())),
  position: z.string(),
  matched: z.number(),
  matched_more: z.number().transform((n) => n === 1),
  found: z.number(),
  done: z.number(),
  status: z.enum(JOB_STATUSES),
  reason: z.string().nullable(),
  actor: z.string(),
  request_id: z.string(),
  created_at: z.number(),
  updated_at: z.number(),
});
export type Job = z.infer<typeof jobRow>;

/** A count that stopped at the most that is counted: `more` says that there are more. */
export interface Count {
  n: number;
  more: boolean;
}

/** Jobs of an owner that may run at a time. */
export const MAX_RUNNING_JOBS = 10;

const KEEP_JOBS_MS = 30 * 86_400_000;
const PURGED_PER_RUN = 500;

type BeginProblem = { reason: "running"; id: string } | { reason: "too_many" };

/**
 * `auditRow` is recorded when the job begins. Of the jobs that replay files, one at a time may cover a gate; a job without a gate
 * covers all gates of its owner.
 */
export async function beginJob(
  db: D1Database,
  job: Job,
  auditRow: AuditRow,
): Promise<Result<null, BeginProblem>> {
  const rival = `SELECT id FROM jobs WHERE owner_type = ?1 AND owner_id = ?2 AND status = 'running'
    AND kind = 'files.replay' AND ?3 = 'files.replay' AND (gate IS NULL OR ?4 IS NULL OR gate = ?4)`;
  const [rivals, inserted] = await db.batch<{ id: string }>([
    db.prepare(`${rival} LIMIT 1`).bind(job.owner_type, job.owner_id, job.kind, job.gate),
    db
      .prepare(
        `INSERT INTO jobs (owner_type, owner_id, kind, gate, id, filters, position, matched, matched_more, found, done,
           status, reason, actor, request_id, created_at, updated_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, 'running', NULL, ?10, ?11, ?12, ?12
         WHERE NOT EXISTS (${rival}) AND (SELECT count(*) FROM jobs
           WHERE owner_type = ?1 AND owner_id = ?2 AND status = 'running') < ${MAX_RUNNING_JOBS}`,
      )
      .bind(
        job.owner_type,
        job.owner_id,
        job.kind,
        job.gate,
        job.id,
        JSON.stringify(job.filters),
        job.position,
        job.matched,
        job.matched_more ? 1 : 0,
        job.actor,
        job.request_id,
        job.created_at,
      ),
    asStatement(db, insertAuditIfChanged(drizzle(db), auditRow)),
  ]);
  if (inserted?.meta.changes === 1) return ok(null);
  const [other] = rivals?.results ?? [];
  return err(other === undefined ? { reason: "too_many" } : { reason: "running", id: other.id });
}

export async function findJob(db: D1Database, id: string): Promise<Job | null> {
  const row = await db.prepare("SELECT * FROM jobs WHERE id = ?").bind(id).first();
  return row === null ? null : jobRow.parse(row);
}

/** The place of a job in the list. */
export const jobPosition = z.tuple([z.number(), z.string()]);
type JobPosition = z.infer<typeof jobPosition>;

/** Newest first, from below `before`. Returns `limit + 1` rows if there are more. */
export async function listJobs(
  db: D1Database,
  { type, id }: OwnerAddress,
  before: JobPosition | null,
  limit: number,
): Promise<Job[]> {
  const [at, last] = before ?? [Number.MAX_SAFE_INTEGER, ""];
  const { results } = await db
    .prepare(
      `SELECT * FROM jobs WHERE owner_type = ? AND owner_id = ? AND (created_at, id) < (?, ?)
       ORDER BY created_at DESC, id DESC LIMIT ?`,
    )
    .bind(type, id, at, last, limit + 1)
    .all();
  return results.map((row) => jobRow.parse(row));
}

/** The running jobs that have waited longest for a step. */
export async function findRunningJobs(db: D1Database, limit: number): Promise<Job[]> {
  const { results } = await db
    .prepare(
      "SELECT * FROM jobs INDEXED BY jobs_running WHERE status = 'running' ORDER BY updated_at LIMIT ?",
    )
    .bind(limit)
    .all();
  return results.map((row) => jobRow.parse(row));
}

/** What it has queued is still sent. A job that is not running stays as it is. */
export async function cancelJob(db: D1Database, id: string, auditRow: AuditRow, now: number): Promise<void> {
  await db.batch([
    db
      .prepare("UPDATE jobs SET status = 'cancelled', updated_at = ?2 WHERE id = ?1 AND status = 'running'")
      .bind(id, now),
    asStatement(db, insertAuditIfChanged(drizzle(db), auditRow)),
  ]);
}

/** The condition of every step: the job is still at the position that the step rests on. `?1` is its id, `?2` the position. */
export const IS_AT = "id = ?1 AND position = ?2 AND status = 'running'";

/** A step that queues nothing: it moves the job, or sends it to the end of the line. */
export function moveJob(db: D1Database, job: Job, position: string, now: number): D1PreparedStatement {
  return db
    .prepare(`UPDATE jobs SET position = ?3, updated_at = ?4 WHERE ${IS_AT}`)
    .bind(job.id, job.position, position, now);
}

export function finishJob(
  db: D1Database,
  job: Job,
  status: "done" | "failed",
  reason: string | null,
  now: number,
): D1PreparedStatement {
  return db
    .prepare(`UPDATE jobs SET status = ?3, reason = ?4, updated_at = ?5 WHERE ${IS_AT}`)
    .bind(job.id, job.position, status, reason, now);
}

/** Deletes jobs 30 days after their last change, few enough at a time not to slow D1 down. */
export async function purgeJobs(db: D1Database, now: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM jobs WHERE id IN (
         SELECT id FROM jobs INDEXED BY jobs_settled WHERE status <> 'running' AND updated_at < ? ORDER BY updated_at LIMIT ?)`,
    )
    .bind(now - KEEP_JOBS_MS, PURGED_PER_RUN)
    .run();
}

/** What a step did. `waits`: nothing more can be done in this run. */
export type Stepped = "goes_on" | "waits" | "ended";
