/**
 * The job `files.replay`: has the files that its filters find forwarded again, gate by gate, by time. First the files that the gate has
 * rows of; then, if completed ones are wanted, those that only the archive still has.
 *
 * The gates' rows are the truth: they keep which job queued them, so that a step that is repeated queues nothing twice. While many files
 * of a gate wait, the job waits too, so that the files-creator is not overrun.
 */
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { newAuditRow } from "../db/audit.ts";
import { seqAt } from "../gate/file-id.ts";
import type { ArchivedFile, ReplayedFile } from "../gate/protocol.ts";
import { logError } from "../log.ts";
import { wakeUpsFor } from "../messages.ts";
import { type GateAddress, gateName, parseGateName } from "../model.ts";
import { filesIn, segmentsOf, type TimeRange } from "./archived-files.ts";
import { finishJob, type Job, moveJob, type Stepped } from "./job-store.ts";
import {
  archivedRange,
  type FileFilter,
  fileFilterOf,
  fileFilters,
  nextGate,
  ofEmployer,
} from "./replay-selection.ts";

const FILES_PER_STEP = 100;

const position = z.object({
  /** The gate's name. Empty before the first gate of an owner. */
  gate: z.string(),
  /** The `seq` to continue from. Null once the gate's rows have been walked. */
  seq: z.string().nullable(),
  /** The last segment that was opened; empty before the first. Null once the archive has been walked, or need not be. */
  segment: z.string().nullable(),
  /** The last file of that segment that was restored. Null once all of them were. */
  file: z.string().nullable(),
});
type Position = z.infer<typeof position>;

/** Null for all gates of an owner. */
export function firstFile(gate: GateAddress | null): string {
  const at: Position =
    gate === null
      ? { gate: "", seq: null, segment: null, file: null }
      : { gate: gateName(gate), seq: "", segment: "", file: null };
  return JSON.stringify(at);
}

/** Rejects if D1, the gate or the bucket does not respond; the step is then repeated by the next run. */
export async function stepReplay(env: Bindings, job: Job, now: number): Promise<Stepped> {
  const filter = fileFilterOf(fileFilters.parse(job.filters));
  const at = position.parse(JSON.parse(job.position));
  const gate = parseGateName(at.gate);
  const limit = limitOf(job, filter);
  if (limit <= 0) return finish(env, job, "done", null, now);
  if (gate !== null && at.seq !== null) return walkRows(env, job, { ...at, seq: at.seq }, filter, limit, now);
  if (gate !== null && at.segment !== null)
    return walkArchive(env, job, { ...at, segment: at.segment }, gate, filter, limit, now);
  return toNextGate(env, job, at, now);
}

/** Never more completed files than were counted and confirmed when the job began. */
function limitOf({ matched, found }: Job, { statuses }: FileFilter): number {
  return statuses.includes("completed") ? Math.min(FILES_PER_STEP, matched - found) : FILES_PER_STEP;
}

async function walkRows(
  env: Bindings,
  job: Job,
  at: Position & { seq: string },
  { statuses, employerId, range }: FileFilter,
  limit: number,
  now: number,
): Promise<Stepped> {
  const from = at.seq === "" ? seqAt(range.from) : at.seq;
  const walk = { job: job.id, from, to: seqAt(range.to), statuses, employerId, limit };
  const walked = await env.CONNECTION_GATE.getByName(at.gate).replayRange(walk);
  switch (walked.outcome) {
    case "full":
      return wait(env, job, now);
    case "erased":
      return job.gate === null ? toNextGate(env, job, at, now) : finish(env, job, "failed", "erased", now);
    case "walked": {
      const { next } = walked;
      const archive = job.gate === null || !statuses.includes("completed") ? null : at.segment;
      return record(env, job, { ...at, seq: next, segment: archive }, walked.files, now);
    }
  }
}

async function walkArchive(
  env: Bindings,
  job: Job,
  at: Position & { segment: string },
  gate: GateAddress,
  filter: FileFilter,
  limit: number,
  now: number,
): Promise<Stepped> {
  const range = archivedRange(filter, job.created_at);
  if (range === null) return record(env, job, { ...at, segment: null, file: null }, [], now);
  const segment = at.file === null ? await nextSegment(env, gate, range, at.segment) : at.segment;
  if (segment === null) return record(env, job, { ...at, segment: null, file: null }, [], now);
  const after = at.file ?? "";
  const files = (await filesIn(env.ARCHIVE, segment, range))
    .filter(ofEmployer(filter.employerId))
    .filter(({ fileId }) => fileId > after);
  const batch: ArchivedFile[] = files.slice(0, limit);
  if (batch.length === 0) return record(env, job, { ...at, segment, file: null }, [], now);
  const restored = await env.CONNECTION_GATE.getByName(at.gate).restore(job.id, batch);
  if (restored.outcome === "full") return wait(env, job, now);
  if (restored.outcome === "erased") return finish(env, job, "failed", "erased", now);
  const last = batch.length < files.length ? (batch.at(-1)?.fileId ?? null) : null;
  return record(env, job, { ...at, segment, file: last }, restored.files, now);
}

async function nextSegment(
  { ARCHIVE }: Bindings,
  gate: GateAddress,
  range: TimeRange,
  after: string,
): Promise<string | null> {
  for await (const key of segmentsOf(ARCHIVE, gate, range, after)) return key;
  return null;
}

async function toNextGate(env: Bindings, job: Job, at: Position, now: number): Promise<Stepped> {
  const owner = { type: job.owner_type, id: job.owner_id };
  const next = job.gate === null ? await nextGate(env.DB, owner, at.gate) : null;
  if (next === null) return finish(env, job, "done", null, now);
  const to: Position = { gate: gateName(next), seq: "", segment: null, file: null };
  await moveJob(env.DB, job, JSON.stringify(to), now).run();
  return "goes_on";
}

async function finish(
  env: Bindings,
  job: Job,
  status: "done" | "failed",
  reason: string | null,
  now: number,
): Promise<Stepped> {
  await finishJob(env.DB, job, status, reason, now).run();
  return "ended";
}

async function wait(env: Bindings, job: Job, now: number): Promise<Stepped> {
  await moveJob(env.DB, job, job.position, now).run();
  return "waits";
}

/**
 * Moves the job past what its gate has queued, with an audit row for each file, and counts the files. Two segments may hold the same
 * file, so a file that the job has recorded already is not counted again. A job that was cancelled meanwhile is moved too.
 */
async function record(
  env: Bindings,
  job: Job,
  to: Position,
  files: readonly ReplayedFile[],
  now: number,
): Promise<Stepped> {
  const rows = files.map(({ fileId, generation }) =>
    newAuditRow({
      at: now,
      actor: job.actor,
      requestId: job.request_id,
      kind: "file",
      what: "replayed",
      subjectId: fileId,
      owner: { type: job.owner_type, id: job.owner_id },
      before: null,
      after: { job: job.id, generation },
    }),
  );
  await env.DB.batch([
    env.DB.prepare(
      `UPDATE jobs SET position = ?3, updated_at = ?4
       WHERE id = ?1 AND position = ?2 AND status IN ('running', 'cancelled')`,
    ).bind(job.id, job.position, JSON.stringify(to), now),
    env.DB.prepare(
      `INSERT INTO audit (id, at, actor, action, subject_kind, subject_id, owner_type, owner_id, request_id, before, after)
       SELECT value ->> 'id', value ->> 'at', value ->> 'actor', value ->> 'action', value ->> 'subject_kind', value ->> 'subject_id',
         value ->> 'owner_type', value ->> 'owner_id', value ->> 'request_id', NULL, value -> 'after'
       FROM json_each(?) WHERE changes() = 1 AND NOT EXISTS (
         SELECT 1 FROM audit AS known WHERE known.subject_kind = value ->> 'subject_kind'
           AND known.subject_id = value ->> 'subject_id' AND known.request_id = value ->> 'request_id')`,
    ).bind(JSON.stringify(rows)),
    env.DB.prepare("UPDATE jobs SET found = found + changes(), done = done + changes() WHERE id = ?").bind(
      job.id,
    ),
  ]);
  await wake(env, files);
  return "goes_on";
}

/** Never rejects: the gates wake the files that this call could not. */
async function wake({ FILES }: Bindings, files: readonly ReplayedFile[]): Promise<void> {
  if (files.length === 0) return;
  try {
    await FILES.sendBatch(wakeUpsFor(files.map(({ fileId }) => fileId)).map((body) => ({ body })));
  } catch (error) {
    logError("failed to send wake-ups", { files: files.length }, error);
  }
}
