import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { seqAt } from "../../../src/db/events.ts";
import { findJob, purgeJobs } from "../../../src/jobs/job-store.ts";
import { runJobs } from "../../../src/jobs/run-jobs.ts";
import { runReplays } from "../../../src/outbound/replay.ts";
import { bindings, type Json, portal } from "../../support/gateway.ts";
import { hanging, watched, without } from "../../support/interception.ts";
import { beginOnly, jobOf, runToTheEnd as runJobToTheEnd, runUntilLost } from "../../support/jobs.ts";
import {
  catchEndpointWakeUps,
  deliveriesOf,
  storeReplay,
  storeWebhook,
  type WebhookRow,
  type Woken,
} from "../../support/outbound.ts";

const { DB } = bindings;
const DAY = 86_400_000;
let owners = 0;
let deliveries = 0;
let owner = { owner_type: "payroll_company", owner_id: "" };
let woken: Woken;

beforeEach(async () => {
  woken = catchEndpointWakeUps();
  owner = { owner_type: "payroll_company", owner_id: `jobs-${++owners}` };
  await DB.prepare("DELETE FROM jobs").run();
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A webhook of the test's owner, with `count` deliveries of events of an hour ago that failed. */
async function hookWith(count: number, fields: Partial<WebhookRow> = {}): Promise<WebhookRow> {
  const hook = await storeWebhook({ owner_id: owner.owner_id, ...fields });
  await storeDeliveries(hook, count, {});
  return hook;
}

interface Stored {
  type?: string;
  status?: string;
  code?: number | null;
  error?: string | null;
  at?: number;
  /** Absent for a settled delivery. */
  dueAt?: number | null;
  hasEvent?: boolean;
}

/** As many deliveries, each of an event of its own. */
async function storeDeliveries(hook: WebhookRow, count: number, stored: Stored): Promise<void> {
  const { type = "policy.created", status = "failed", code = 500, error = "HTTP 500", dueAt = null } = stored;
  const at = stored.at ?? Date.now() - 3_600_000;
  if (count === 0) return;
  const first = seqAt(at) + deliveries;
  deliveries += count;
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)`;
  await DB.batch([
    DB.prepare(
      `INSERT INTO events (seq, id, owner_type, owner_id, environment, type, created_at, source, content_mac, size, data)
       ${numbers} SELECT ?2 + i, 'evt_' || ?3 || (?2 + i), ?4, ?5, ?6, ?7, ?8, 'audit1', '', 2, '' FROM n WHERE ?9`,
    ).bind(
      count,
      first,
      hook.id,
      hook.owner_type,
      hook.owner_id,
      hook.environment,
      type,
      at,
      stored.hasEvent === false ? 0 : 1,
    ),
    DB.prepare(
      `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, response_code, last_error,
         created_at, updated_at, history)
       ${numbers} SELECT ?3, ?2 + i, ?4, 7, 0, ?5, ?6, ?7, ?8, ?8, '[]' FROM n`,
    ).bind(count, first, hook.id, status, dueAt, code, error, at),
  ]);
}

const statusesOf = async (hook: WebhookRow) => {
  const { results } = await DB.prepare(
    "SELECT status, count(*) AS n FROM deliveries WHERE webhook_id = ? GROUP BY status",
  )
    .bind(hook.id)
    .all<{ status: string; n: number }>();
  return Object.fromEntries(results.map(({ status, n }) => [status, n]));
};

const retry = (filters: Json = {}, client = "portal", using?: Bindings) =>
  portal("POST", "/deliveries/retry", { ...owner, ...filters }, client, using);
const begun = (filters: Json = {}) => beginOnly((using) => retry(filters, "portal", using));

/** Another running job of the same owner, at the same position. */
const storeCopyOf = (id: string) =>
  DB.prepare(
    "INSERT INTO jobs SELECT ?1, kind, owner_type, owner_id, gate, filters, position, matched, matched_more, found, done, status, reason, actor, request_id, created_at, updated_at FROM jobs WHERE id = ?2",
  )
    .bind(newObjectId(), id)
    .run();

/** As if the endpoints had answered everything that waits for them. */
const deliver = () =>
  DB.prepare(
    "UPDATE deliveries SET status = 'delivered', next_attempt_at = NULL WHERE status = 'pending'",
  ).run();

/** Everything that the job queues is delivered. */
const runToTheEnd = (id: string) => runJobToTheEnd(id, deliver);

describe("a bulk retry of deliveries", () => {
  it("counts first, then queues what it has counted, within seconds", async () => {
    const [one, two] = [await hookWith(3), await hookWith(2)];
    await storeDeliveries(one, 4, { status: "delivered", code: 200, error: null });
    const counted = await retry({ dry_run: true });
    expect(counted).toMatchObject({ status: 200, json: { dry_run: true, matched: 5 } });
    expect(await statusesOf(one)).toEqual({ failed: 3, delivered: 4 });
    const { status, json } = await retry();
    expect(status).toBe(202);
    expect(json.job).toMatchObject({ kind: "deliveries.retry", matched: 5, done: 0, status: "running" });
    expect(await jobOf(json.job.id)).toMatchObject({ matched: 5, done: 5, skipped: 0, status: "done" });
    expect(await statusesOf(one)).toEqual({ pending: 3, delivered: 4 });
    expect(await statusesOf(two)).toEqual({ pending: 2 });
    expect(new Set(woken.quick)).toEqual(new Set([one.id, two.id]));
    const [first] = await deliveriesOf(one);
    expect(first).toMatchObject({ status: "pending", round_start: 7, attempts: 7 });
  });

  it.each([
    ["status", { status: "skipped" }, { status: "skipped", code: null, error: "webhook_disabled" }],
    ["type", { type: "payment.failed" }, { type: "payment.failed" }],
    ["response code", { response_code: 404 }, { code: 404 }],
    ["error", { error: "timeout" }, { error: "timeout", code: null }],
    ["HTTP status", { error: "HTTP 503" }, { error: "HTTP 503", code: 503 }],
    [
      "time",
      {
        since: new Date(Date.now() - 3 * DAY).toISOString(),
        until: new Date(Date.now() - DAY).toISOString(),
      },
      { at: Date.now() - 2 * DAY },
    ],
  ])("takes only what its filters match: %s", async (_name, filters, stored) => {
    const hook = await hookWith(3);
    await storeDeliveries(hook, 2, stored);
    const counted = await retry({ ...filters, dry_run: true });
    const asked = Object.entries({ ...owner, status: "failed", ...filters });
    const query = new URLSearchParams(asked.map(([name, value]) => [name, String(value)]));
    const listed = await portal("GET", `/deliveries?${query}`);
    expect([counted.json.matched, listed.json.count]).toEqual([2, 2]);
    const { json } = await retry(filters);
    expect(await jobOf(json.job.id)).toMatchObject({ status: "done", matched: 2, done: 2 });
    expect((await deliveriesOf(hook)).filter(({ status }) => status === "pending")).toHaveLength(2);
  });

  it("takes only the named webhook, or one environment: production unless another is named", async () => {
    const [one, two] = [await hookWith(2), await hookWith(3)];
    const sandbox = await hookWith(4, { environment: "sandbox" });
    expect((await retry({ webhook_id: `wh_${one.id}`, dry_run: true })).json.matched).toBe(2);
    await retry({ webhook_id: one.id });
    expect([await statusesOf(one), await statusesOf(two)]).toEqual([{ pending: 2 }, { failed: 3 }]);
    const { job } = (await retry({ webhook_id: sandbox.id, environment: "production" })).json;
    expect(await jobOf(job.id)).toMatchObject({ matched: 0, done: 0, status: "done" });
    expect((await retry()).json.job).toMatchObject({ matched: 3, filters: { environment: "production" } });
    expect([await statusesOf(sandbox), await statusesOf(two)]).toEqual([{ failed: 4 }, { pending: 3 }]);
    await retry({ environment: "sandbox" });
    expect(await statusesOf(sandbox)).toEqual({ pending: 4 });
  });

  it("skips and counts what cannot be sent", async () => {
    const disabled = await hookWith(2, { status: "disabled" });
    const deleted = await hookWith(1, { deleted_at: Date.now() - DAY });
    const narrow = await hookWith(3, { events: ["payment.*"] });
    await storeDeliveries(narrow, 1, { type: "payment.failed" });
    await storeDeliveries(narrow, 2, { hasEvent: false });
    expect((await retry({ dry_run: true })).json.matched).toBe(9);
    const { json } = await retry();
    expect(await jobOf(json.job.id)).toMatchObject({ matched: 9, done: 1, skipped: 8, status: "done" });
    expect(await statusesOf(disabled)).toEqual({ failed: 2 });
    expect(await statusesOf(deleted)).toEqual({ failed: 1 });
    expect(await statusesOf(narrow)).toEqual({ failed: 5, pending: 1 });
  });

  it("makes what waits for its next attempt due, without another round", async () => {
    const hook = await hookWith(0);
    await storeDeliveries(hook, 2, { status: "retrying", dueAt: Date.now() + DAY });
    await retry({ status: "retrying" });
    for (const delivery of await deliveriesOf(hook)) {
      expect(delivery).toMatchObject({ status: "retrying", round_start: 0 });
      expect(delivery.next_attempt_at).toBeLessThanOrEqual(Date.now());
    }
  });

  it("waits for a paused webhook while the others go on", async () => {
    const paused = await hookWith(2, { status: "paused" });
    const others = [await hookWith(2), await hookWith(2)];
    const { json } = await retry();
    await runJobs(bindings, Date.now());
    expect(await jobOf(json.job.id)).toMatchObject({ done: 4, status: "running" });
    for (const hook of others) expect(await statusesOf(hook)).toEqual({ pending: 2 });
    expect(await statusesOf(paused)).toEqual({ failed: 2 });
    await DB.prepare("UPDATE webhooks SET status = 'active' WHERE id = ?").bind(paused.id).run();
    await runJobs(bindings, Date.now());
    expect(await runToTheEnd(json.job.id)).toMatchObject({ done: 6, status: "done" });
  });

  it("queues no more than an endpoint takes, and goes on with the others", async () => {
    const slow = await hookWith(1_800);
    const other = await hookWith(2);
    expect((await retry({ dry_run: true })).json.matched).toBe("1000+");
    const { json } = await retry();
    expect(json.job.matched).toBe("1000+");
    const most = 500 + 500;
    expect((await statusesOf(slow)).pending).toBeLessThanOrEqual(most);
    expect(await statusesOf(other)).toEqual({ pending: 2 });
    for (let run = 0; run < 3; run++) await runJobs(bindings, Date.now());
    expect((await statusesOf(slow)).pending).toBeLessThanOrEqual(most);
    for (let run = 0; run < 6; run++) {
      await deliver();
      await runJobs(bindings, Date.now());
    }
    await deliver();
    expect(await statusesOf(slow)).toEqual({ delivered: 1_800 });
    expect(await runToTheEnd(json.job.id)).toMatchObject({ matched: 1_802, done: 1_802, status: "done" });
  });

  it("shares a webhook with a running replay: each delivery is queued once", async () => {
    const hook = await hookWith(5);
    const now = Date.now();
    const range = { from_seq: 0, position: 0, until: seqAt(now) };
    await storeReplay({
      ...{ id: newObjectId(), webhook_id: hook.id, only: "failed", queued: 0, status: "running" },
      ...range,
      ...{ created_at: now, updated_at: now },
    });
    const job = await begun();
    await runReplays(bindings, Date.now());
    await runJobs(bindings, Date.now());
    expect(await jobOf(job.id)).toMatchObject({ status: "done", done: 0 });
    for (const delivery of await deliveriesOf(hook)) expect(delivery.round_start).toBe(7);
  });

  it("ends half-way when it is cancelled", async () => {
    const hook = await hookWith(1_200);
    const { json } = await retry();
    const before = await statusesOf(hook);
    const cancelled = await portal("DELETE", `/jobs/${json.job.id}`);
    expect(cancelled).toMatchObject({
      status: 200,
      json: { message: "job_cancelled", job: { status: "cancelled" } },
    });
    await DB.prepare("UPDATE deliveries SET next_attempt_at = NULL").run();
    await runJobs(bindings, Date.now());
    expect(await statusesOf(hook)).toEqual(before);
    expect((await portal("DELETE", `/jobs/${json.job.id}`)).json.job.status).toBe("cancelled");
    const audit = await portal("GET", `/audit?subject=job:${json.job.id}`);
    expect(audit.json.audit.map(({ action }: Json) => action)).toEqual(["job.cancelled", "job.begun"]);
    expect(audit.json.audit[1].after).toMatchObject({ kind: "deliveries.retry", matched: "1000+" });
  });

  it("queues and counts nothing twice, wherever the cron dies between two calls", async () => {
    let dies = 0;
    let made = 0;
    do {
      dies++;
      for (const took of [true, false]) {
        await DB.batch([DB.prepare("DELETE FROM jobs"), DB.prepare("DELETE FROM deliveries")]);
        owner = { ...owner, owner_id: `jobs-${++owners}` };
        const hooks = [await hookWith(520), await hookWith(2)];
        const job = await begun();
        made = await runUntilLost(dies, took);
        expect(await runToTheEnd(job.id)).toMatchObject({ done: 522, skipped: 0, status: "done" });
        for (const hook of hooks) {
          const rounds = (await deliveriesOf(hook)).map(({ round_start }) => round_start);
          expect(new Set(rounds)).toEqual(new Set([7]));
        }
      }
    } while (made >= dies);
    expect(dies).toBeGreaterThan(8);
  }, 60_000);

  it("makes each step once when two crons run at once", async () => {
    const hooks = [await hookWith(400), await hookWith(3), await hookWith(450)];
    const job = await begun();
    await Promise.all([1, 2, 3].map(() => runJobs(bindings, Date.now())));
    expect(await runToTheEnd(job.id)).toMatchObject({ done: 853, skipped: 0, status: "done" });
    for (const hook of hooks)
      for (const delivery of await deliveriesOf(hook)) expect(delivery.round_start).toBe(7);
  });

  it.each([
    ["away", () => without("DB.")],
    ["hanging", () => hanging("DB.")],
  ])("is not begun while D1 is %s, and begins with the repeat", async (_how, broken) => {
    await hookWith(2);
    expect((await retry({}, "portal", broken())).status).toBe(503);
    expect((await portal("GET", `/jobs?${new URLSearchParams(owner)}`)).json.jobs).toEqual([]);
    expect((await retry()).status).toBe(202);
  });

  it("survives queues that are away: the sweep wakes the endpoints", async () => {
    const hook = await hookWith(2);
    const { json } = await retry({}, "portal", without("DELIVERIES"));
    expect(await jobOf(json.job.id)).toMatchObject({ done: 2, status: "done" });
    expect(await statusesOf(hook)).toEqual({ pending: 2 });
  });

  it("does not keep other jobs from their turn when it fails each time", async () => {
    await hookWith(1);
    const broken = await begun();
    for (let i = 1; i < 20; i++) await storeCopyOf(broken.id);
    await DB.prepare('UPDATE jobs SET filters = \'{"status":"none"}\', updated_at = 0').run();
    owner = { ...owner, owner_id: `jobs-${++owners}` };
    await hookWith(2);
    const job = await begun();
    await runJobs(bindings, Date.now());
    await runJobs(bindings, Date.now());
    expect(await jobOf(job.id)).toMatchObject({ done: 2, status: "done" });
  });

  it("makes a bounded number of calls in a run, and leaves no job out", async () => {
    for (let i = 0; i < 9; i++) await hookWith(1);
    const job = await begun();
    for (let i = 1; i < 20; i++) await storeCopyOf(job.id);
    const { calls, using } = watched();
    await runJobs(using, Date.now());
    expect(calls.length).toBeLessThan(500);
    for (let run = 0; run < 4; run++) await runJobs(bindings, Date.now());
    const left = await DB.prepare("SELECT count(*) AS n FROM jobs WHERE status = 'running'").first("n");
    expect(left).toBe(0);
  });
});

describe("jobs", () => {
  it("are listed newest first, page by page, for their owner", async () => {
    await hookWith(1);
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await retry()).json.job.id);
    const query = new URLSearchParams({ ...owner, limit: "2" });
    const first = await portal("GET", `/jobs?${query}`);
    const second = await portal("GET", `/jobs?${query}&cursor=${first.json.next_cursor}`);
    const listed = [...first.json.jobs, ...second.json.jobs].map(({ id }: Json) => id);
    expect(new Set(listed)).toEqual(new Set(ids));
    expect([first.json.jobs.length, second.json.next_cursor]).toEqual([2, null]);
  });

  it("of another owner do not exist, and another owner's webhook cannot be retried", async () => {
    const hook = await hookWith(1);
    const { json } = await retry();
    for (const [method, path] of [
      ["GET", `/jobs/${json.job.id}`],
      ["DELETE", `/jobs/${json.job.id}`],
    ] as const) {
      expect((await portal(method, path, undefined, "bound")).json.error).toBe("job_not_found");
      const scoped = await portal(method, `${path}?owner_id=somebody`);
      expect([scoped.status, scoped.json.error]).toEqual([404, "job_not_found"]);
    }
    const foreign = await portal("POST", "/deliveries/retry", { webhook_id: hook.id }, "bound");
    const unknown = await portal("POST", "/deliveries/retry", { webhook_id: newObjectId() }, "bound");
    expect(foreign).toMatchObject({ status: 404, json: { error: "webhook_not_found" } });
    expect(unknown.json.error).toBe("webhook_not_found");
    const other = await portal("POST", "/deliveries/retry", { owner_id: "somebody", webhook_id: hook.id });
    expect(other.status).toBe(404);
  });

  it("are limited to ten running ones of an owner", async () => {
    await hookWith(1, { status: "paused" });
    for (let i = 0; i < 10; i++) expect((await retry()).status).toBe(202);
    expect(await retry()).toMatchObject({ status: 409, json: { error: "too_many_jobs" } });
  });

  it("reject an empty range, unknown fields and words that no delivery has", async () => {
    const now = Date.now();
    const at = (ms: number) => new Date(ms).toISOString();
    expect((await retry({ since: at(now + DAY) })).status).toBe(400);
    expect((await retry({ since: at(now - 1), until: at(now - 2) })).status).toBe(400);
    expect((await retry({ colour: "red" })).status).toBe(400);
    for (const error of ["<script>", "no_such_error", "HTTP 5"])
      expect((await retry({ error })).status).toBe(400);
  });

  it("leave 30 days after their last change, unless they run", async () => {
    await hookWith(1);
    const done = (await retry()).json.job.id;
    await hookWith(1, { status: "paused" });
    const running = (await retry()).json.job.id;
    await purgeJobs(DB, Date.now() + 29 * DAY);
    expect(await findJob(DB, done)).not.toBeNull();
    await purgeJobs(DB, Date.now() + 31 * DAY);
    expect(await findJob(DB, done)).toBeNull();
    expect(await findJob(DB, running)).not.toBeNull();
  });
});
