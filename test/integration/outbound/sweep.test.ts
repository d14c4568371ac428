import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { newAuditRow } from "../../../src/db/audit.ts";
import { countSkipped, getDelivery, listDeliveries, reopenDelivery } from "../../../src/db/deliveries.ts";
import { listEvents, seqAt } from "../../../src/db/events.ts";
import { deleteEvents, eraseOwner, findOwnersToErase, setErasure } from "../../../src/db/owner-erasure.ts";
import { insertWebhook, listWebhooks } from "../../../src/db/webhooks.ts";
import { readSettings } from "../../../src/env.ts";
import { retain } from "../../../src/maintenance/retention.ts";
import { deliveryUpdate, recordAttempts } from "../../../src/outbound/attempt-store.ts";
import { UNTRIED } from "../../../src/outbound/auto-disable.ts";
import { sendNotices } from "../../../src/outbound/email-notices.ts";
import { acquireLease, releaseLease } from "../../../src/outbound/endpoint-lease.ts";
import { addFailureNotices } from "../../../src/outbound/failure-notices.ts";
import { beginReplay, endReplay, findReplay, type Replay, runReplays } from "../../../src/outbound/replay.ts";
import {
  findSubscribersOfFile,
  findSubscribersOfFiles,
  findSubscribersOfGates,
} from "../../../src/outbound/subscribers.ts";
import { sweep } from "../../../src/outbound/sweep.ts";
import { settleAllUnsent, settleUnsent } from "../../../src/outbound/unsent-deliveries.ts";
import { runCron } from "../../support/forwarding.ts";
import { bindings } from "../../support/gateway.ts";
import { hanging } from "../../support/interception.ts";
import {
  catchEndpointWakeUps,
  catchMails,
  deliveriesOf,
  noticesOf,
  OWNER,
  storeReplay,
  storeWebhook,
  tell,
  type Woken,
} from "../../support/outbound.ts";
import { withQueryLog } from "../../support/query-plans.ts";

const DAY_MS = 86_400_000;
const EVERYTHING = { from: "", to: "g" };
let woken: Woken;
let owners = 0;

beforeEach(async () => {
  woken = catchEndpointWakeUps();
  const { DB } = bindings;
  await DB.batch(
    ["deliveries", "events", "webhooks", "notices", "replays"].map((table) =>
      DB.prepare(`DELETE FROM ${table}`),
    ),
  );
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function hookWithDelivery(fields: Parameters<typeof storeWebhook>[0] = {}, now = Date.now()) {
  const owner_id = `sweep-${++owners}`;
  const hook = await storeWebhook({ owner_id, ...fields });
  await tell({ owner: { type: hook.owner_type, id: owner_id } }, now);
  return hook;
}

describe("a sweep", () => {
  it("wakes every endpoint that has something due, through the queue it belongs to", async () => {
    const now = Date.now();
    const due = await hookWithDelivery({}, now);
    const slow = await hookWithDelivery({ slow_at: now }, now);
    const later = await hookWithDelivery({}, now);
    await bindings.DB.prepare("UPDATE deliveries SET next_attempt_at = ? WHERE webhook_id = ?")
      .bind(now + 1, later.id)
      .run();
    const held = await hookWithDelivery({ held_until: now + 1 }, now);
    const off = await hookWithDelivery({}, now);
    await bindings.DB.batch([
      bindings.DB.prepare("UPDATE webhooks SET status = 'disabled' WHERE id = ?").bind(off.id),
      bindings.DB.prepare("UPDATE deliveries SET next_attempt_at = ? WHERE webhook_id = ?").bind(
        now + DAY_MS,
        off.id,
      ),
    ]);
    await sweep(bindings, now);
    expect(woken.quick.sort()).toEqual([due.id, off.id].sort());
    expect(woken.slow).toEqual([slow.id]);
    await sweep(bindings, now + 1);
    expect(woken.quick).toContain(later.id);
    expect(woken.quick).toContain(held.id);
  });

  it("wakes slow endpoints separately, so that none waits for one that hangs", async () => {
    const slow = [];
    for (let i = 0; i < 3; i++) slow.push((await hookWithDelivery({ slow_at: Date.now() })).id);
    await sweep(bindings, Date.now());
    const messages = vi.mocked(bindings.DELIVERIES_SLOW.sendBatch).mock.calls.flatMap(([each]) => [...each]);
    expect(messages.map(({ body }) => body.webhook_ids).sort()).toEqual(slow.sort().map((id) => [id]));
  });

  it("changes no row, so that two at once only wake twice", async () => {
    const hook = await hookWithDelivery();
    const before = await deliveriesOf(hook);
    await Promise.all([sweep(bindings, Date.now()), sweep(bindings, Date.now())]);
    expect(woken.quick).toEqual([hook.id, hook.id]);
    expect(await deliveriesOf(hook)).toEqual(before);
  });

  it("covers all webhooks from any starting point", async () => {
    const ids = ["0", "5", "a", "f"].map((digit) => digit.repeat(24));
    for (const id of ids) await hookWithDelivery({ id });
    for (const from of ["", "5".repeat(24), "7", "f".repeat(24), "~"]) {
      woken.quick.length = 0;
      await sweep(bindings, Date.now(), from);
      expect(woken.quick.sort()).toEqual(ids);
    }
  });

  it("wakes a hundred thousand due deliveries' endpoints, a page at a time", {
    timeout: 60_000,
  }, async () => {
    const model = await hookWithDelivery();
    const { DB } = bindings;
    const webhooks = 2_500;
    await DB.batch([
      DB.prepare(
        `INSERT INTO webhooks (id, owner_type, owner_id, environment, url, events, status, signature_format, secrets, proven_at, version, created_at, updated_at)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${webhooks})
         SELECT printf('%024x', i), owner_type, owner_id, environment, url, events, status, signature_format, secrets, 1, 1, i, i
         FROM n, webhooks WHERE webhooks.id = ?`,
      ).bind(model.id),
      DB.prepare(
        `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, created_at, updated_at, history)
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
         SELECT printf('%024x', 1 + i % ${webhooks}), i, 'pending', 0, 0, i, 0, 0, '[]' FROM n`,
      ),
    ]);
    await sweep(bindings, Date.now());
    expect(woken.quick).toHaveLength(webhooks + 1);
    expect(new Set(woken.quick).size).toBe(webhooks + 1);
  });

  it("stops where consumers are behind", async () => {
    for (const digit of ["0", "f"]) await hookWithDelivery({ id: digit.repeat(24) });
    const metadata = { metrics: { backlogCount: 20_000, backlogBytes: 0 } };
    vi.mocked(bindings.DELIVERIES.sendBatch).mockResolvedValue({ metadata });
    await sweep(bindings, Date.now(), "7");
    expect(bindings.DELIVERIES.sendBatch).toHaveBeenCalledOnce();
  });

  it("continues for other lanes if the consumers of one are behind", async () => {
    const stranger = (id: string) => hookWithDelivery({ id, proven_at: null });
    await stranger("f".repeat(24));
    await stranger("0".repeat(24));
    const hook = await hookWithDelivery({ id: "1".repeat(24) });
    const metadata = { metrics: { backlogCount: 20_000, backlogBytes: 0 } };
    vi.mocked(bindings.DELIVERIES_NEW.sendBatch).mockResolvedValue({ metadata });
    await sweep(bindings, Date.now(), "7");
    expect(bindings.DELIVERIES_NEW.sendBatch).toHaveBeenCalledOnce();
    expect(woken.quick).toEqual([hook.id]);
  });

  it.each(["DELIVERIES", "DELIVERIES_SLOW", "DELIVERIES_NEW"])(
    "ends where %s never answers, and wakes the other lanes",
    async (queue) => {
      const hooks = {
        DELIVERIES: await hookWithDelivery(),
        DELIVERIES_SLOW: await hookWithDelivery({ slow_at: Date.now() }),
        DELIVERIES_NEW: await hookWithDelivery({ proven_at: null }),
      };
      const using = hanging(`${queue}.`);
      await expect(sweep(using, Date.now(), "")).rejects.toThrow(queue);
      const others = Object.entries(hooks).flatMap(([name, { id }]) => (name === queue ? [] : [id]));
      expect(Object.values(woken).flat().sort()).toEqual(others.sort());
    },
  );
});

describe("retention", () => {
  it("deletes settled deliveries 30 days after their last change, and events after 90", async () => {
    const now = Date.now();
    const settled = await hookWithDelivery({}, now - 31 * DAY_MS);
    const open = await hookWithDelivery({}, now - 31 * DAY_MS);
    const fresh = await hookWithDelivery({}, now);
    await bindings.DB.prepare(
      "UPDATE deliveries SET next_attempt_at = NULL, status = 'delivered' WHERE webhook_id <> ?",
    )
      .bind(open.id)
      .run();
    await retain(bindings.DB, EVERYTHING, now);
    expect(await deliveriesOf(settled)).toEqual([]);
    expect(await deliveriesOf(open)).toHaveLength(1);
    expect(await deliveriesOf(fresh)).toHaveLength(1);
    const count = () => bindings.DB.prepare("SELECT count(*) AS n FROM events").first<number>("n");
    expect(await count()).toBe(3);
    await retain(bindings.DB, EVERYTHING, now + 60 * DAY_MS);
    expect(await count()).toBe(1);
  });

  it("keeps deliveries that were replayed recently, however old their event is", async () => {
    const now = Date.now();
    const hook = await hookWithDelivery({}, now - 80 * DAY_MS);
    await bindings.DB.prepare("UPDATE deliveries SET next_attempt_at = NULL, updated_at = ?")
      .bind(now - DAY_MS)
      .run();
    await retain(bindings.DB, EVERYTHING, now);
    expect(await deliveriesOf(hook)).toHaveLength(1);
  });

  it("reaches every webhook every hour, so that a busy one does not outgrow it", async () => {
    const now = Date.parse("2026-05-04T09:00:00.000Z");
    const hooks = [];
    for (const digit of ["0", "5", "a", "f"])
      hooks.push(await hookWithDelivery({ id: digit.repeat(24) }, now - 31 * DAY_MS));
    await bindings.DB.prepare("UPDATE deliveries SET next_attempt_at = NULL, status = 'delivered'").run();
    // In the minute of each, by its first digits.
    for (const minute of [0, 19, 39, 59]) await runCron(now + minute * 60_000);
    for (const hook of hooks) expect(await deliveriesOf(hook)).toEqual([]);
  });

  it("deletes replays 30 days after they ended, and none that still wait for a paused webhook", async () => {
    const now = Date.now();
    const hook = await storeWebhook({ status: "paused" });
    const replay = (status: Replay["status"]): Replay => ({
      id: newObjectId(),
      webhook_id: hook.id,
      only: "all",
      from_seq: 1,
      position: 1,
      until: 2,
      queued: 0,
      status,
      created_at: now - 31 * DAY_MS,
      updated_at: now - 31 * DAY_MS,
    });
    const waiting = replay("running");
    const ended = replay("ended");
    for (const each of [waiting, ended]) await storeReplay(each);
    await retain(bindings.DB, EVERYTHING, now);
    expect(await findReplay(bindings.DB, hook.id, waiting.id)).toEqual(waiting);
    expect(await findReplay(bindings.DB, hook.id, ended.id)).toBeNull();
  });

  it("handles each webhook in its own minute, and many rows in bounded statements", async () => {
    const hook = await hookWithDelivery({ id: "7".repeat(24) });
    await bindings.DB.prepare(
      `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, created_at, updated_at, history)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
       SELECT ?, i, 'delivered', 1, 0, 0, 0, '[]' FROM n`,
    )
      .bind(hook.id)
      .run();
    await retain(bindings.DB, { from: "8", to: "g" }, Date.now());
    expect(await deliveriesOf(hook)).toHaveLength(1_201);
    await retain(bindings.DB, { from: "7", to: "8" }, Date.now());
    expect(await deliveriesOf(hook)).toHaveLength(1);
  });
});

describe("notices", () => {
  const settings = readSettings(bindings);
  const note = (webhookId: string, kind: string, seq: number | null, at = Date.now()) =>
    bindings.DB.prepare(
      "INSERT INTO notices (webhook_id, kind, event_seq, reason, created_at, due_at, tries) VALUES (?, ?, ?, 'timeout', ?, ?, 0)",
    )
      .bind(webhookId, kind, seq, at, at)
      .run();

  it("of one webhook are sent in one mail of each kind, to the webhook's address or to the operators", async () => {
    const hook = await hookWithDelivery({ notification_email: "it@acme.example" });
    const other = await hookWithDelivery();
    for (let i = 0; i < 30; i++) await note(hook.id, "delivery_failed", seqAt(Date.now()) + i);
    await note(hook.id, "webhook_disabled", null);
    await note(other.id, "delivery_failed", seqAt(Date.now()));
    const mails = catchMails();
    await sendNotices(bindings, settings, Date.now());
    expect(mails.map(({ to }) => to).sort()).toEqual(
      ["it@acme.example", "it@acme.example", settings.operatorsEmail].sort(),
    );
    const many = mails.find(({ subject }) => subject.startsWith("30 deliveries"));
    expect(many?.text).toContain("… and 10 more");
    expect(await noticesOf(hook)).toEqual([]);
  });

  it("that no mailbox accepts are kept, retried with backoff, and dropped after a week", async () => {
    const now = Date.now();
    const hook = await hookWithDelivery();
    const fine = await hookWithDelivery({ notification_email: "fine@acme.example" });
    await note(hook.id, "delivery_failed", 1, now);
    await note(fine.id, "delivery_failed", 1, now);
    catchMails(({ to }) => {
      if (to !== "fine@acme.example") throw new Error("no such mailbox");
    });
    await sendNotices(bindings, settings, now);
    expect(await noticesOf(fine)).toEqual([]);
    expect(await noticesOf(hook)).toMatchObject([{ tries: 1, due_at: now + 60_000 }]);
    await sendNotices(bindings, settings, now + 60_000);
    expect(await noticesOf(hook)).toMatchObject([{ tries: 2, due_at: now + 180_000 }]);
    await sendNotices(bindings, settings, now + 8 * DAY_MS);
    expect(await noticesOf(hook)).toEqual([]);
  });

  it("are not held up by mails that never end, and are tried again", async () => {
    const now = Date.now();
    const stuck = [];
    for (let i = 0; i < 8; i++) {
      const hook = await hookWithDelivery({ notification_email: "stuck@acme.example" });
      await note(hook.id, "delivery_failed", 1, now - 1);
      stuck.push(hook);
    }
    const fine = await hookWithDelivery({ notification_email: "fine@acme.example" });
    await note(fine.id, "delivery_failed", 1, now);
    catchMails(({ to }) => (to === "stuck@acme.example" ? Promise.withResolvers<void>().promise : undefined));
    await sendNotices(bindings, settings, now, 20);
    expect(await noticesOf(fine)).toEqual([]);
    for (const hook of stuck)
      expect(await noticesOf(hook)).toMatchObject([{ tries: 1, due_at: now + 60_000 }]);
  });

  it("are sent through the mail binding itself", async () => {
    const hook = await hookWithDelivery({ notification_email: "ops@acme.example" });
    await note(hook.id, "delivery_failed", 1);
    await sendNotices(bindings, settings, Date.now());
    expect(await noticesOf(hook)).toEqual([]);
  });
});

it("no query of the outbound side scans a table", async () => {
  const hook = await hookWithDelivery();
  const { DB, plans } = withQueryLog(bindings.DB);
  const using = { ...bindings, DB };
  await tell({ owner: { type: hook.owner_type, id: hook.owner_id } }, Date.now(), DB);
  const acquired = await acquireLease(DB, hook.id, { lane: "quick", now: Date.now() });
  if (acquired.outcome !== "acquired") throw new Error("the endpoint was not leased");
  const { lease } = acquired;
  const attempt = {
    startedAt: Date.now(),
    kind: "status",
    status: 410,
    ms: 1,
    answer: "",
    retryAfterMs: null,
  } as const;
  const stored = {
    number: 1,
    started_at: attempt.startedAt,
    ms: 1,
    kind: "status",
    status: 410,
    answer: null,
  };
  const updates = lease.due.map((due) => deliveryUpdate(due, attempt, stored));
  const health = { ...UNTRIED, consecutiveFailures: 1, failingSince: 1 };
  const now = Date.now();
  const rest = recordAttempts(DB, { lease, updates, health, disable: "gone", now });
  await releaseLease(DB, lease, rest, now);
  await settleAllUnsent(DB, hook.id, "webhook_disabled", Date.now());
  await settleUnsent(DB, hook.id, [1], "event_expired", Date.now());
  await countSkipped(DB, hook.id);
  await listDeliveries(DB, hook.id, "failed", null, 10);
  const auditRow = () =>
    newAuditRow({
      at: Date.now(),
      actor: "client:portal",
      requestId: "",
      kind: "webhook",
      what: "delivery_retried",
      subjectId: hook.id,
      owner: null,
      before: null,
      after: null,
    });
  const { id: _id, ...fields } = await storeWebhook();
  const limits = { most: 1, keyCreatedAt: 0 };
  await insertWebhook(DB, { ...fields, id: newObjectId() }, auditRow(), { creation: null, ...limits });
  const creation = {
    owner_type: hook.owner_type,
    owner_id: hook.owner_id,
    name: "x",
    object_id: hook.id,
    body_mac: "",
    sealed_token: null,
    secret_ended: false,
    created_at: Date.now(),
  };
  await insertWebhook(DB, { ...fields, id: newObjectId() }, auditRow(), { creation, ...limits });
  await listWebhooks(DB, { type: hook.owner_type, id: hook.owner_id }, {}, [1, ""], 10);
  const all = { after: 0, before: Number.MAX_SAFE_INTEGER };
  for (const newestFirst of [true, false])
    for (const range of [all, { ...all, type: "policy.renewed" }])
      await listEvents(
        DB,
        { type: hook.owner_type, id: hook.owner_id },
        "production",
        { ...range, newestFirst },
        10,
      );
  const key = { webhookId: hook.id, eventSeq: updates[0]?.eventSeq ?? 0 };
  expect(await getDelivery(DB, key)).not.toBeNull();
  await reopenDelivery(DB, key, auditRow(), Date.now());
  for (const kinds of [["connection"], ["key"], ["connection", "connection", "key"]] as const)
    await findSubscribersOfGates(
      DB,
      kinds.map((kind) => ({ kind, id: newObjectId() })),
    );
  const file = { gate: { kind: "connection" as const, id: newObjectId() }, employerId: "EMP_1" };
  await findSubscribersOfFiles(DB, [file]);
  const heard = {
    owner: OWNER,
    environment: "production" as const,
    ownerSubscribed: true,
    employersSubscribed: true,
  };
  await findSubscribersOfFile(DB, heard, file.employerId);
  const { id: webhookId } = await storeWebhook();
  const replay: Replay = {
    id: newObjectId(),
    webhook_id: webhookId,
    only: "all",
    from_seq: 0,
    position: 0,
    until: seqAt(Date.now()),
    queued: 0,
    status: "running",
    created_at: 0,
    updated_at: 0,
  };
  expect(await beginReplay(DB, replay, auditRow())).toEqual({ ok: true, value: null });
  await findReplay(DB, webhookId, replay.id);
  await runReplays(using, Date.now());
  await endReplay(DB, { webhookId, id: replay.id }, auditRow(), Date.now());
  const owner = { type: hook.owner_type, id: hook.owner_id };
  await setErasure(DB, owner, Date.now(), auditRow(), Date.now());
  await findOwnersToErase(DB, Date.now(), 1);
  await deleteEvents(DB, owner, 1);
  await eraseOwner(DB, owner, auditRow(), Date.now());
  await runReplays(using, Date.now());
  await sweep(using, Date.now());
  await retain(DB, EVERYTHING, Date.now());
  await addFailureNotices(DB, Date.now());
  await sendNotices(using, readSettings(bindings), Date.now());
  // An index that is made for one query is made of everything.
  expect((await plans()).filter((step) => step.includes("AUTOMATIC"))).toEqual([]);
  // A partial index holds nothing but what is asked for.
  const scans = (await plans()).filter(
    (step) =>
      /^SCAN (deliveries|events|webhooks|notices|replays|connections|api_keys|owner_keys|audit|[dewnrg])\b/.test(
        step,
      ) && !step.endsWith("USING INDEX replays_running"),
  );
  expect(scans).toEqual([]);
});
