/** Begins jobs, and presents them. */
import { newObjectId } from "../../crypto/ids.ts";
import { type ListCount, listCount } from "../../db/list-count.ts";
import type { JobKind } from "../../db/schema.ts";
import { type AppContext, addLogFields, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import { beginJob, type Count, type Job } from "../../jobs/job-store.ts";
import { heldWebhooks } from "../../jobs/retry-deliveries.ts";
import { startJob } from "../../jobs/run-jobs.ts";
import { err, ok, type Result } from "../../result.ts";
import { actionRow } from "../audit-row.ts";
import { type OwnedRow, type Owner, ownerIn, ownerOf, withinScope } from "../owner.ts";
import { type ShownJob, TOO_MANY_JOBS } from "./job-contract.ts";

/**
 * The owner whose objects a job concerns: that of the object that the request names, or the owner that it names itself. `object` is
 * undefined if the request names no object, and null if there is none.
 */
export function ownerOfJob(
  c: AppContext,
  named: Parameters<typeof ownerOf>[1],
  object: OwnedRow | null | undefined,
  missing: Failure,
): Result<Owner, Failure> {
  const client = c.get("client");
  if (object === undefined) return ownerOf(client, named);
  if (object === null || !withinScope(client, object)) return err(missing);
  const { type, id } = ownerIn(object);
  const isNamed = (named.owner_type ?? type) === type && (named.owner_id ?? id) === id;
  return isNamed ? ok({ type, id }) : err(missing);
}

/** The range that a job keeps, whenever it runs. It ends now at the latest. */
export function rangeOf(
  { since, until }: { since?: string | undefined; until?: string | undefined },
  now: number,
) {
  return {
    ...(since !== undefined && { since: iso(Date.parse(since)) }),
    until: iso(Math.min(now, until === undefined ? now : Date.parse(until))),
  };
}

interface Begun extends Pick<Job, "gate" | "position"> {
  kind: JobKind;
  filters: object;
}

/** Begins a job, and makes its first steps after the response. */
export async function begin(
  c: AppContext,
  owner: Owner,
  { filters, ...begun }: Begun,
  { n, more }: Count,
  now: number,
): Promise<Response> {
  const job: Job = {
    id: newObjectId(),
    owner_type: owner.type,
    owner_id: owner.id,
    ...begun,
    filters: { ...filters },
    matched: n,
    matched_more: more,
    found: 0,
    done: 0,
    status: "running",
    reason: null,
    actor: c.get("client").actor,
    request_id: c.get("requestId"),
    created_at: now,
    updated_at: now,
  };
  const after = { kind: job.kind, ...job.filters, matched: presentCount({ n, more }) };
  const auditRow = actionRow(c, { at: now, kind: "job", what: "begun", subjectId: job.id, owner, after });
  const stored = await beginJob(c.env.DB, job, auditRow);
  if (!stored.ok)
    return failureResponse(
      c,
      stored.error.reason === "too_many" ? TOO_MANY_JOBS : { kind: "job_running", jobId: stored.error.id },
    );
  addLogFields(c, { outcome: "begun", job_id: job.id });
  c.executionCtx.waitUntil(startJob(c.env, job, now));
  return c.json({ success: true, job: presentJob(job) }, 202);
}

export function presentJob(job: Job): ShownJob {
  const { id, kind, owner_type, owner_id, filters, found, done, status, reason } = job;
  return {
    id,
    kind,
    owner_type,
    owner_id,
    filters,
    matched: status === "done" ? found : presentCount({ n: job.matched, more: job.matched_more }),
    done,
    skipped: found - done,
    status,
    reason,
    waits_for:
      kind === "deliveries.retry" && status === "running"
        ? heldWebhooks(job).map((held) => `wh_${held}`)
        : [],
    created_at: iso(job.created_at),
    updated_at: iso(job.updated_at),
  };
}

export function presentCount({ n, more }: Count): ListCount {
  return listCount(n, !more);
}
