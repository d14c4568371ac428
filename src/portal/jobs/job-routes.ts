/** Bulk work in the background: retry the deliveries that filters match, follow such jobs, cancel them. */
import { Hono } from "hono";
import { newObjectId } from "../../crypto/ids.ts";
import { type AuditEntry, type AuditRow, newAuditRow } from "../../db/audit.ts";
import type { JobKind } from "../../db/schema.ts";
import { type AppContext, type AppEnv, addLogFields, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import { pageOf } from "../../http/page.ts";
import { beginJob, type Count, cancelJob, findJob, type Job, listJobs } from "../../jobs/job-store.ts";
import { FIRST_WEBHOOK } from "../../jobs/retry-deliveries.ts";
import { countDeliveries, type DeliveryFilters, deliveryFilterOf } from "../../jobs/retry-selection.ts";
import { startJob } from "../../jobs/run-jobs.ts";
import { err, ok, type Result } from "../../result.ts";
import { mayActFor, type Owner, ownerOf } from "../owner.ts";
import { ANY_WEBHOOK } from "../webhooks/webhook-presenter.ts";
import * as contract from "./job-contract.ts";
import { JOB_LIST, NO_JOB, type ShownJob, TOO_MANY_JOBS } from "./job-contract.ts";

export const jobs = new Hono<AppEnv>()
  .post("/deliveries/retry", contract.retryDeliveries, async (c) => {
    const { owner_type, owner_id, dry_run, webhook_id, since, until, ...rest } = c.req.valid("json");
    const found = await ownerOfRetry(c, { owner_type, owner_id }, webhook_id);
    if (!found.ok) return failureResponse(c, found.error);
    const { owner, webhookId } = found.value;
    const now = Date.now();
    const filters: DeliveryFilters = {
      ...(webhookId !== null && { webhook_id: webhookId }),
      ...rest,
      ...(since !== undefined && { since: iso(Date.parse(since)) }),
      until: iso(Math.min(now, until === undefined ? now : Date.parse(until))),
    };
    const filter = deliveryFilterOf(filters);
    if (filter.from >= filter.until) return failureResponse(c, { kind: "range_empty" });
    const count = await countDeliveries(c.env.DB, owner, filter);
    if (dry_run) return c.json({ dry_run: true, matched: presentCount(count) });
    const begun = { kind: "deliveries.retry", gate: null, filters, position: FIRST_WEBHOOK } as const;
    return begin(c, owner, begun, count, now);
  })
  .get("/jobs", contract.listJobs, async (c) => {
    const { limit, cursor, ...named } = c.req.valid("query");
    const owner = ownerOf(c.get("client"), named);
    if (!owner.ok) return failureResponse(c, owner.error);
    const rows = await listJobs(c.env.DB, owner.value, cursor ?? null, limit);
    const page = pageOf(JOB_LIST, rows, limit, ({ created_at, id }) => [created_at, id]);
    return c.json({ jobs: page.rows.map(presentJob), next_cursor: page.next_cursor });
  })
  .get("/jobs/:job_id", contract.getJob, async (c) => {
    const found = await find(c);
    return found.ok ? c.json({ job: presentJob(found.value) }) : failureResponse(c, found.error);
  })
  .delete("/jobs/:job_id", contract.cancelJob, async (c) => {
    const found = await find(c);
    if (!found.ok) return failureResponse(c, found.error);
    const { id, owner_type: type, owner_id } = found.value;
    const now = Date.now();
    const auditRow = auditRowOf(c, id, { type, id: owner_id }, "cancelled", null, now);
    await cancelJob(c.env.DB, id, auditRow, now);
    const job = (await findJob(c.env.DB, id)) ?? found.value;
    return c.json({ message: "job_cancelled", job: presentJob(job) });
  });

/** The job that the path names, within the client's scope. */
async function find(c: AppContext): Promise<Result<Job, Failure>> {
  const job = await findJob(c.env.DB, (c.req.param("job_id") ?? "").toLowerCase());
  const within = job !== null && mayActFor(c.get("client"), { type: job.owner_type, id: job.owner_id });
  return within ? ok(job) : err(NO_JOB);
}

/** The owner whose deliveries are retried: that of the named webhook, if one is named. */
async function ownerOfRetry(
  c: AppContext,
  named: Parameters<typeof ownerOf>[1],
  webhook_id: string | undefined,
): Promise<Result<{ owner: Owner; webhookId: string | null }, Failure>> {
  const client = c.get("client");
  if (webhook_id === undefined) {
    const owner = ownerOf(client, named);
    return owner.ok ? ok({ owner: owner.value, webhookId: null }) : owner;
  }
  const webhook = await ANY_WEBHOOK.find(c.env.DB, webhook_id);
  const owner: Owner | null = webhook && { type: webhook.owner_type, id: webhook.owner_id };
  const within = owner !== null && mayActFor(client, owner);
  if (webhook === null || !within || !isNamed(owner, named)) return err({ kind: "webhook_not_found" });
  return ok({ owner, webhookId: webhook.id });
}

function isNamed({ type, id }: Owner, { owner_type, owner_id }: Parameters<typeof ownerOf>[1]): boolean {
  return (owner_type ?? type) === type && (owner_id ?? id) === id;
}

interface Begun extends Pick<Job, "gate" | "position"> {
  kind: JobKind;
  filters: object;
}

/** Begins a job, and makes its first steps after the response. */
async function begin(
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
  const stored = await beginJob(c.env.DB, job, auditRowOf(c, job.id, owner, "begun", after, now));
  if (!stored.ok)
    return failureResponse(
      c,
      stored.error.reason === "too_many" ? TOO_MANY_JOBS : { kind: "job_running", jobId: stored.error.id },
    );
  addLogFields(c, { outcome: "begun", job_id: job.id });
  c.executionCtx.waitUntil(startJob(c.env, job, now));
  return c.json({ success: true, job: presentJob(job) }, 202);
}

function presentJob(job: Job): ShownJob {
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
    created_at: iso(job.created_at),
    updated_at: iso(job.updated_at),
  };
}

function presentCount({ n, more }: Count): number | string {
  return more ? `${n}+` : n;
}

function auditRowOf(
  c: AppContext,
  jobId: string,
  owner: Owner,
  what: string,
  after: AuditEntry["after"],
  now: number,
): AuditRow {
  return newAuditRow({
    at: now,
    actor: c.get("client").actor,
    requestId: c.get("requestId"),
    kind: "job",
    what,
    subjectId: jobId,
    owner,
    before: null,
    after,
  });
}
