/**
 * Advances jobs: by the request that begins one, once it has responded, and by the minute cron. Each run makes a bounded number of
 * steps, in all and per job, the job that has waited longest first, so that a large job delays no other.
 */
import type { Bindings } from "../bindings.ts";
import { inParallel } from "../concurrency.ts";
import type { JobKind } from "../db/schema.ts";
import { logError } from "../log.ts";
import { findJob, findRunningJobs, type Job, moveJob, type Stepped } from "./job-store.ts";
import { stepReplay } from "./replay-files.ts";
import { stepRetry } from "./retry-deliveries.ts";

const JOBS_PER_RUN = 20;
const JOBS_AT_A_TIME = 4;
const STEPS_PER_JOB = 10;
/** Of all jobs together. A step makes up to nine calls, and an invocation may make a thousand; the cron has other work besides. */
const STEPS_PER_RUN = 60;
/** No step starts later, so that a run ends before the next one begins even if its calls are slow. */
const RUN_MS = 20_000;

/** What is left of a run. */
interface Run {
  until: number;
  steps: number;
}

const STEPS: Record<JobKind, (env: Bindings, job: Job, now: number) => Promise<Stepped>> = {
  "deliveries.retry": stepRetry,
  "files.replay": stepReplay,
};

/** A job that fails does not delay the others. Rejects if D1 does not respond. */
export async function runJobs(env: Bindings, now: number): Promise<void> {
  const run: Run = { until: Date.now() + RUN_MS, steps: STEPS_PER_RUN };
  const jobs = await findRunningJobs(env.DB, JOBS_PER_RUN);
  await inParallel(jobs, JOBS_AT_A_TIME, (job) => advance(env, job, now, run));
}

/** For the request that began the job. Never rejects: the minute cron continues the job. */
export async function startJob(env: Bindings, job: Job, now: number): Promise<void> {
  await advance(env, job, now, { until: Date.now() + RUN_MS, steps: STEPS_PER_JOB });
}

/** Never rejects. */
async function advance(env: Bindings, begun: Job, now: number, run: Run): Promise<void> {
  let job: Job | null = begun;
  try {
    for (let step = 0; step < STEPS_PER_JOB && job?.status === "running"; step++) {
      if (Date.now() > run.until || run.steps-- <= 0) return;
      if ((await STEPS[job.kind](env, job, now)) !== "goes_on") return;
      job = await findJob(env.DB, job.id);
    }
  } catch (error) {
    logError("failed to advance a job", { job_id: begun.id, kind: begun.kind }, error);
    if (job !== null) await sendToTheEnd(env.DB, job, now);
  }
}

/** So that jobs that fail do not keep the others from their turn. Never rejects. */
async function sendToTheEnd(db: D1Database, job: Job, now: number): Promise<void> {
  try {
    await moveJob(db, job, job.position, now).run();
  } catch (error) {
    logError("failed to send a job to the end of the line", { job_id: job.id }, error);
  }
}
