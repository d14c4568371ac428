/** Jobs in the background: their first steps, and runs of the cron that die. */
import { expect } from "vitest";
import type { Bindings } from "../../src/bindings.ts";
import { findJob } from "../../src/jobs/job-store.ts";
import { runJobs } from "../../src/jobs/run-jobs.ts";
import { type Answer, bindings, type Json, portal } from "./gateway.ts";
import { intercepted, outage } from "./interception.ts";

export const jobOf = async (id: string): Promise<Json> => (await portal("GET", `/jobs/${id}`)).json.job;

/** Begins a job whose first steps are lost, as if the isolate had died after its response. */
export async function beginOnly(begin: (using: Bindings) => Promise<Answer>): Promise<Json> {
  let stored = false;
  const dying = intercepted(async (call, proceed) => {
    if (stored) throw outage("injected: the isolate has died");
    const result = await proceed();
    if (call === "DB.batch") stored = true;
    return result;
  });
  const { status, json } = await begin(dying);
  expect(status).toBe(202);
  expect(await findJob(bindings.DB, json.job.id)).toMatchObject({ found: 0, done: 0, status: "running" });
  return json.job;
}

/** Runs the cron, after `before`, until the job is settled. */
export async function runToTheEnd(
  id: string,
  before: () => Promise<unknown> = async () => null,
): Promise<Json> {
  for (let run = 0; run < 50; run++) {
    const job = await jobOf(id);
    if (job.status !== "running") return job;
    await before();
    await runJobs(bindings, Date.now());
  }
  throw new Error("the job does not end");
}

/**
 * Runs the jobs in a cron whose calls are lost from the `dies`th on. With `took`, that call still takes effect. Returns how many calls
 * the cron made: fewer than `dies` if it ended before.
 */
export async function runUntilLost(dies: number, took: boolean): Promise<number> {
  let made = 0;
  const dying = intercepted(async (_call, proceed) => {
    const position = ++made;
    if (position === dies && took) await proceed();
    if (position >= dies) throw outage("injected: the cron has died");
    return proceed();
  });
  const run = runJobs(dying, Date.now());
  // The first call finds the jobs. Each later one belongs to a job, which is logged and continues in the next run.
  if (dies === 1) await expect(run).rejects.toThrow("injected: the cron has died");
  else await run;
  return made;
}
