/** Bulk work in the background: retry the deliveries that filters match, follow such jobs, cancel them. */
import { Hono } from "hono";
import { seqRangeOf } from "../../db/delivery-list.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { pageOf } from "../../http/page.ts";
import { cancelJob, findJob, type Job, listJobs } from "../../jobs/job-store.ts";
import { FIRST_WEBHOOK } from "../../jobs/retry-deliveries.ts";
import { countDeliveries, type RetryFilters } from "../../jobs/retry-selection.ts";
import { deliveryFilterOf } from "../../outbound/delivery-filter.ts";
import { err, ok, type Result } from "../../result.ts";
import { actionRow } from "../audit-row.ts";
import { notFound } from "../change.ts";
import { ownerIn, ownerOf, withinScope } from "../owner.ts";
import { deliveryScopeOf } from "../webhooks/delivery-scope.ts";
import { ANY_WEBHOOK } from "../webhooks/webhook-presenter.ts";
import { begin, ownerOfJob, presentCount, presentJob, rangeOf } from "./begin-job.ts";
import * as contract from "./job-contract.ts";
import { JOB_LIST, NO_JOB } from "./job-contract.ts";

export const jobs = new Hono<AppEnv>()
  .post("/deliveries/retry", contract.retryDeliveries, async (c) => {
    const { owner_type, owner_id, dry_run, webhook_id, environment, since, until, ...rest } =
      c.req.valid("json");
    const webhook = webhook_id === undefined ? undefined : await ANY_WEBHOOK.find(c.env.DB, webhook_id);
    const owner = ownerOfJob(c, { owner_type, owner_id }, webhook, notFound("webhook"));
    if (!owner.ok) return failureResponse(c, owner.error);
    const now = Date.now();
    const scope = deliveryScopeOf(owner.value, webhook ?? null, environment);
    const filters: RetryFilters = {
      ...(webhook && { webhook_id: webhook.id }),
      environment: scope.environment,
      ...rest,
      ...rangeOf({ since, until }, now),
    };
    const filter = deliveryFilterOf(filters);
    const range = seqRangeOf(filter);
    if (range.since >= range.until) return failureResponse(c, { kind: "range_empty" });
    const count = await countDeliveries(c.env.DB, scope, filter, now);
    if (dry_run) return c.json({ dry_run: true, matched: presentCount(count) });
    const begun = { kind: "deliveries.retry", gate: null, filters, position: FIRST_WEBHOOK } as const;
    return begin(c, owner.value, begun, count, now);
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
    const { id } = found.value;
    const now = Date.now();
    const owner = ownerIn(found.value);
    const cancelled = { at: now, kind: "job", what: "cancelled", subjectId: id, owner, after: null } as const;
    await cancelJob(c.env.DB, id, actionRow(c, cancelled), now);
    const job = (await findJob(c.env.DB, id)) ?? found.value;
    return c.json({ message: "job_cancelled", job: presentJob(job) });
  });

/** The job that the path names, within the client's scope. */
async function find(c: AppContext): Promise<Result<Job, Failure>> {
  const job = await findJob(c.env.DB, (c.req.param("job_id") ?? "").toLowerCase());
  const within = job !== null && withinScope(c.get("client"), job);
  return within ? ok(job) : err(NO_JOB);
}
