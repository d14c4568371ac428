/** Bulk work in the background: retry the deliveries that filters match, follow such jobs, cancel them. */
import { Hono } from "hono";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import { pageOf } from "../../http/page.ts";
import { cancelJob, findJob, type Job, listJobs } from "../../jobs/job-store.ts";
import { FIRST_WEBHOOK } from "../../jobs/retry-deliveries.ts";
import { countDeliveries, type DeliveryFilters, deliveryFilterOf } from "../../jobs/retry-selection.ts";
import { err, ok, type Result } from "../../result.ts";
import { mayActFor, type Owner, ownerOf } from "../owner.ts";
import { ANY_WEBHOOK } from "../webhooks/webhook-presenter.ts";
import { auditRowOf, begin, isNamed, presentCount, presentJob } from "./begin-job.ts";
import * as contract from "./job-contract.ts";
import { JOB_LIST, NO_JOB } from "./job-contract.ts";

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
