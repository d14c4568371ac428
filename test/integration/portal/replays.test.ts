import { beforeEach, describe, expect, it, vi } from "vitest";
import { runReplays } from "../../../src/outbound/replay.ts";
import { bindings, type Json, portal } from "../../support/gateway.ts";
import {
  catchEndpointWakeUps,
  deliveriesOf,
  storeWebhook,
  tell,
  type WebhookRow,
} from "../../support/outbound.ts";

const { DB } = bindings;
let owners = 0;
let owner: { type: "payroll_company"; id: string };
let hook: WebhookRow;
const since = new Date(Date.now() - 3_600_000).toISOString();

beforeEach(async () => {
  vi.restoreAllMocks();
  catchEndpointWakeUps();
  owner = { type: "payroll_company", id: `replays-${++owners}` };
  hook = await storeWebhook({ owner_id: owner.id });
});

const scope = () => `owner_type=${owner.type}&owner_id=${owner.id}`;
const replayOf = (id: string, body: Json = {}) =>
  portal("POST", `/webhooks/${id}/replay`, { since, ...body });
const endAll = () => DB.prepare("UPDATE replays SET status = 'done'").run();

describe("the dry run of a replay", () => {
  /** One delivery of each status, and one event that the webhook has no delivery of. */
  beforeEach(async () => {
    for (let i = 0; i < 6; i++) await tell({ owner, type: i === 5 ? "audit.failed" : "policy.created" });
    const stored = await deliveriesOf(hook);
    const statuses = ["delivered", "failed", "skipped", "retrying"];
    for (const [i, status] of statuses.entries())
      await DB.prepare(
        "UPDATE deliveries SET status = ?1, next_attempt_at = iif(?1 = 'retrying', 1, NULL) WHERE webhook_id = ?2 AND event_seq = ?3",
      )
        .bind(status, hook.id, stored[i]?.event_seq)
        .run();
    await DB.prepare("DELETE FROM deliveries WHERE webhook_id = ? AND event_seq = ?")
      .bind(hook.id, stored[4]?.event_seq)
      .run();
    await DB.prepare("UPDATE webhooks SET events = ? WHERE id = ?").bind('["policy.*"]', hook.id).run();
  });

  it.each([
    ["failed", 3],
    ["all", 4],
  ])("counts what it would queue and queues nothing: %s", async (only, matched) => {
    const before = await deliveriesOf(hook);
    const counted = await replayOf(hook.id, { only, dry_run: true });
    expect([counted.status, counted.json]).toEqual([200, { dry_run: true, matched }]);
    expect(await deliveriesOf(hook)).toEqual(before);
    expect((await portal("GET", `/replays?${scope()}`)).json.replays).toEqual([]);
    const begun = await replayOf(hook.id, { only });
    await runReplays(bindings, Date.now());
    const path = `/webhooks/${hook.id}/replays/${begun.json.replay.id}`;
    expect((await portal("GET", path)).json.replay).toMatchObject({ status: "done", queued: matched });
  });

  it("is refused for a disabled webhook, as the replay is", async () => {
    await DB.prepare("UPDATE webhooks SET status = 'disabled' WHERE id = ?").bind(hook.id).run();
    const { status, json } = await replayOf(hook.id, { dry_run: true });
    expect([status, json.error]).toEqual([409, "webhook_disabled"]);
  });
});

describe("GET /replays", () => {
  it("lists the replays of all webhooks of an owner, or of one, newest first, page by page", async () => {
    const other = await storeWebhook({ owner_id: owner.id });
    const ids: string[] = [];
    for (const each of [hook, other, hook]) {
      ids.unshift((await replayOf(each.id)).json.replay.id);
      await endAll();
      await DB.prepare("UPDATE replays SET created_at = ? WHERE id = ?").bind(ids.length, ids[0]).run();
    }
    const [first, second] = [
      (await portal("GET", `/replays?${scope()}&limit=2`)).json,
      (await portal("GET", `/replays?${scope()}`)).json,
    ];
    expect(second.replays.map(({ id }: Json) => id)).toEqual(ids);
    expect(first.replays.map(({ id }: Json) => id)).toEqual(ids.slice(0, 2));
    const rest = await portal("GET", `/replays?${scope()}&limit=2&cursor=${first.next_cursor}`);
    expect(rest.json).toMatchObject({ replays: [{ id: ids[2] }], next_cursor: null });
    const ofOne = await portal("GET", `/replays?${scope()}&webhook_id=wh_${other.id}`);
    expect(ofOne.json.replays.map(({ id }: Json) => id)).toEqual([ids[1]]);
  });

  it("does not tell another owner's webhook from one that does not exist", async () => {
    const theirs = await storeWebhook({ owner_id: "somebody-else" });
    for (const id of [theirs.id, "0".repeat(24)]) {
      const { status, json } = await portal("GET", `/replays?${scope()}&webhook_id=${id}`);
      expect([status, json.error]).toEqual([404, "webhook_not_found"]);
    }
  });
});

it("a delivery names the file that its event is about, and the retries that are left", async () => {
  const file = `FILE_${"0".repeat(40)}`;
  await tell({ owner, type: "file.processed", data: JSON.stringify({ fileId: file }) });
  await tell({ owner, type: "policy.created", data: JSON.stringify({ fileId: file }) });
  await DB.prepare("UPDATE deliveries SET attempts = 9, round_start = 7 WHERE webhook_id = ?")
    .bind(hook.id)
    .run();
  const { deliveries } = (await portal("GET", `/deliveries?${scope()}`)).json;
  const shown = await Promise.all(
    deliveries.map(async ({ id }: Json) => (await portal("GET", `/deliveries/${id}`)).json.delivery),
  );
  expect(shown.map(({ fileId, retriesLeft }: Json) => [fileId, retriesLeft])).toEqual([
    [null, 5],
    [file, 5],
  ]);
});
