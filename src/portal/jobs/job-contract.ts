/** The contract of jobs: begin one as a count first, follow it, cancel it. */
import * as z from "zod";
import { type Answer, answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, exampleOf, like } from "../../contract/examples.ts";
import { countOrLeast, moment, objectId, owner, success } from "../../contract/fields.ts";
import { JOB_KINDS, JOB_STATUSES } from "../../db/schema.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { NO_SUCH_SENDER } from "../../inbound/file-list.ts";
import { jobPosition, MAX_RUNNING_JOBS } from "../../jobs/job-store.ts";
import { replayFields } from "../../jobs/replay-selection.ts";
import { deliveryFilterFields } from "../../outbound/delivery-filter.ts";
import { notFound } from "../change.ts";
import { ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";

/** The name of the list in its cursors. */
export const JOB_LIST = "jobs";

export const NO_JOB: Failure = { kind: "job_not_found" };
export const TOO_MANY_JOBS: Failure = { kind: "too_many_jobs", most: MAX_RUNNING_JOBS };

const dryRun = z.boolean().default(false);

const retryRequest = z.strictObject({ ...ownerFields, ...deliveryFilterFields, dry_run: dryRun });

const replayRequest = z.strictObject({
  ...ownerFields,
  ...replayFields,
  count: z.int().nonnegative().optional().meta({
    description: "With `include_completed`: the count that the dry run returned.",
  }),
  dry_run: dryRun,
});

const jobQuery = z.strictObject({ ...ownerFields, ...pageFields(JOB_LIST, jobPosition) });

const job = once(() =>
  z
    .strictObject({
      id: objectId(EXAMPLE.jobId),
      kind: like(z.enum(JOB_KINDS), "deliveries.retry"),
      ...owner(),
      filters: like(z.record(z.string(), z.unknown()), {
        status: "failed",
        since: "2026-03-15T00:00:00.000Z",
        until: "2026-03-16T00:00:00.000Z",
      }),
      matched: like(
        countOrLeast(),
        412,
        "How many the filters matched when the job began, as the dry run counts them. Once the job is done, how many it found.",
      ),
      done: like(z.int().nonnegative(), 0, "How many were queued so far."),
      skipped: like(
        z.int().nonnegative(),
        0,
        "How many were found but could not be queued: deliveries of a disabled webhook, of an expired event, or of a type that the webhook no longer subscribes to.",
      ),
      status: like(z.enum(JOB_STATUSES), "running"),
      reason: z.string().nullable().meta({ description: "Why it failed, in one word." }),
      waits_for: like(z.array(z.string()), []).meta({
        description:
          "The webhooks that a running retry will visit again, because they are paused or 500 of their deliveries wait.",
      }),
      created_at: moment(),
      updated_at: moment(),
    })
    .meta({ id: "Job" }),
);
export type ShownJob = z.infer<ReturnType<typeof job>>;

/** A dry run answers 200 with the count alone; otherwise the job is begun. */
function begun(): Partial<Record<200 | 202, Answer>> {
  return {
    200: answer("The count. Nothing was queued.", {
      dry_run: z.literal(true),
      matched: like(
        countOrLeast(),
        412,
        "How many the filters match. A number is exact; a text is the least number, `1000+` if more than 1000 were counted.",
      ),
    }),
    202: answer("The job has begun.", { success: success(), job: job() }),
  };
}

const failedOnOneDay = {
  ...EXAMPLE.owner,
  status: "failed",
  since: "2026-03-15T00:00:00Z",
  until: "2026-03-16T00:00:00Z",
};

export const retryDeliveries = portalContracts("Webhooks")({ body: retryRequest }, () => ({
  id: "retryDeliveries",
  summary: "Send deliveries again",
  description: `Sends those of an owner's deliveries that the filters match again, in the background, each as a single retry would. The filters and their defaults are those of the list, except that without \`status\` it takes only deliveries that failed or were skipped; \`until\` is now by default. Ask for the count first, with \`dry_run\`. A delivery is skipped, and counted as skipped, if its webhook is disabled or no longer subscribes to the type, or if the event has expired. Paused webhooks wait. While 500 deliveries of a webhook wait, the job queues no more for it. A replay of the webhook may run at the same time; a delivery that already waits is not queued twice. An owner has at most ${MAX_RUNNING_JOBS} running jobs.`,
  examples: {
    count: { summary: "How many failed on one day", value: { ...failedOnOneDay, dry_run: true } },
    retry: { summary: "Send them again", value: failedOnOneDay },
  },
  answers: begun(),
  failures: [notFound("webhook"), { kind: "range_empty" }, TOO_MANY_JOBS],
}));

const contract = portalContracts("Operations");

export const replayFiles = contract({ body: replayRequest }, () => ({
  id: "replayFiles",
  summary: "Forward files again",
  description: `Has the files that the filters match forwarded again, in the background, each as a new generation, with an audit row for each. Name one connection or API key, or an owner for all of its connections and keys. Without \`status\`, it takes files that failed; \`until\` is now by default. Ask for the count first, with \`dry_run\`. While 500 files of a connection or key wait to be forwarded, the job queues no more. Completed files are replayed only with \`include_completed\`, by a client that is bound to no owner, for one connection or key, and with the \`count\` of a dry run, which must be exact and at most 1 000; a job never replays more. They include files that are older than the gateway's own records and that only the archive still has, up to its retention: the archive does not say whether a file failed, so each of them counts as completed. One job at a time replays the files of a connection or key. Nothing can be replayed once the connection or key has been erased.`,
  examples: {
    count: {
      summary: "How many failed on one day",
      value: {
        ...EXAMPLE.owner,
        since: "2026-03-15T00:00:00Z",
        until: "2026-03-16T00:00:00Z",
        dry_run: true,
      },
    },
    replay: {
      summary: "Forward them again",
      value: {
        ...EXAMPLE.owner,
        since: "2026-03-15T00:00:00Z",
        until: "2026-03-16T00:00:00Z",
      },
    },
  },
  answers: begun(),
  failures: [
    { kind: "two_senders" },
    NO_SUCH_SENDER.connection,
    NO_SUCH_SENDER.key,
    { kind: "range_empty" },
    { kind: "files_erased" },
    { kind: "count_differs", count: 37 },
    { kind: "job_running", jobId: EXAMPLE.jobId },
    TOO_MANY_JOBS,
  ],
}));

export const listJobs = contract({ query: jobQuery }, () => ({
  id: "listJobs",
  summary: "List jobs",
  description:
    "Lists an owner's bulk retries and bulk replays, newest first, for 30 days after their last change.",
  answers: { 200: page("A page of jobs.", "jobs", job()) },
}));

export const getJob = contract({}, () => ({
  id: "getJob",
  summary: "Get a job's progress",
  description: "Returns how much the job has queued, and whether it is still running.",
  answers: { 200: answer("The job.", { job: job() }) },
  failures: [NO_JOB],
}));

export const cancelJob = contract({}, () => ({
  id: "cancelJob",
  summary: "Cancel a job",
  description: "What the job has queued is still sent. A job that is done stays done. Safe to repeat.",
  answers: {
    200: answer(
      "Cancelled.",
      { message: z.literal("job_cancelled"), job: job() },
      { example: { job: { ...(exampleOf(job()) as object), status: "cancelled" } } },
    ),
  },
  failures: [NO_JOB],
}));
