import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { seqAt } from "../../../src/db/events.ts";
import { type Replay, runReplays } from "../../../src/outbound/replay.ts";
import { bindings } from "../../support/gateway.ts";
import {
  catchEndpointWakeUps,
  deliveriesOf,
  storeReplay,
  storeWebhook,
  tell,
} from "../../support/outbound.ts";

const { DB } = bindings;
/** As many as go on in one run. */
const REPLAYS_PER_RUN = 20;
let owners = 0;

beforeEach(async () => {
  catchEndpointWakeUps();
  await DB.batch([DB.prepare("DELETE FROM replays"), DB.prepare("DELETE FROM deliveries")]);
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function hookWithReplay(createdAt: number, fields: Parameters<typeof storeWebhook>[0] = {}) {
  const hook = await storeWebhook({ owner_id: `replay-${++owners}`, ...fields });
  const now = Date.now();
  const replay: Replay = {
    id: newObjectId(),
    webhook_id: hook.id,
    only: "failed",
    from_seq: 0,
    position: 0,
    until: seqAt(now + 60_000),
    queued: 0,
    status: "running",
    created_at: createdAt,
    updated_at: createdAt,
  };
  await storeReplay(replay);
  return { hook, replay };
}

const statusOf = (replay: Replay) =>
  DB.prepare("SELECT status FROM replays WHERE id = ?").bind(replay.id).first<string>("status");

it("continues however many replays wait for paused webhooks", async () => {
  const now = Date.now();
  for (let i = 0; i < REPLAYS_PER_RUN; i++) await hookWithReplay(now - 2, { status: "paused" });
  const { replay } = await hookWithReplay(now - 1);
  await runReplays(bindings, now);
  expect(await statusOf(replay)).toBe("done");
});

it("continues however many replays wait for endpoints that accept nothing", async () => {
  const now = Date.now();
  for (let i = 0; i < REPLAYS_PER_RUN; i++) {
    const { hook } = await hookWithReplay(now - 2);
    await DB.prepare(
      `INSERT INTO deliveries (webhook_id, event_seq, status, attempts, round_start, next_attempt_at, created_at, updated_at, history)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
       SELECT ?1, i, 'pending', 0, 0, ?2, ?2, ?2, '[]' FROM n`,
    )
      .bind(hook.id, now)
      .run();
  }
  const { replay } = await hookWithReplay(now - 1);
  await runReplays(bindings, now);
  await runReplays(bindings, now);
  expect(await statusOf(replay)).toBe("done");
});

it("continues however many replays one webhook has", async () => {
  const now = Date.now();
  const { hook, replay: first } = await hookWithReplay(now - 3);
  for (let i = 1; i < REPLAYS_PER_RUN; i++) await storeReplay({ ...first, id: newObjectId() });
  const { replay } = await hookWithReplay(now - 1);
  await runReplays(bindings, now);
  expect(await statusOf(replay)).toBe("done");
  for (let run = 1; run < REPLAYS_PER_RUN; run++) await runReplays(bindings, now);
  const running = DB.prepare(
    "SELECT count(*) AS n FROM replays WHERE webhook_id = ? AND status = 'running'",
  ).bind(hook.id);
  expect(await running.first<number>("n")).toBe(0);
});

it("continues from its position once its webhook is active again", async () => {
  const { hook, replay } = await hookWithReplay(Date.now(), { status: "paused" });
  await tell({ owner: { type: hook.owner_type, id: hook.owner_id } });
  await runReplays(bindings, Date.now());
  expect(await statusOf(replay)).toBe("running");
  await DB.prepare("UPDATE webhooks SET status = 'active' WHERE id = ?").bind(hook.id).run();
  await runReplays(bindings, Date.now());
  expect(await statusOf(replay)).toBe("done");
  expect(await deliveriesOf(hook)).toHaveLength(1);
});

it.each([{ status: "disabled" as const }, { deleted_at: 1 }])("ends with its webhook: %j", async (fields) => {
  const { hook, replay } = await hookWithReplay(Date.now(), fields);
  await tell({ owner: { type: hook.owner_type, id: hook.owner_id } });
  await runReplays(bindings, Date.now());
  expect(await statusOf(replay)).toBe("ended");
  await DB.prepare("UPDATE webhooks SET status = 'active', deleted_at = NULL WHERE id = ?")
    .bind(hook.id)
    .run();
  await runReplays(bindings, Date.now());
  expect(await statusOf(replay)).toBe("ended");
});
