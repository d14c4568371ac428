import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { dataKeyContext, payloadContext } from "../../../src/crypto/contexts.ts";
import { toBase64 } from "../../../src/crypto/encoding.ts";
import { parseKeyRing, unseal, unwrapDataKey } from "../../../src/crypto/vault.ts";
import { type KeyObject, keyObjectKey } from "../../../src/gate/archive-format.ts";
import { withBrokenGates } from "../../support/faults.ts";
import {
  accepted,
  advance,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  recordOf,
  runCron,
} from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  gateOf,
  type Json,
  portal,
  post,
  report,
} from "../../support/gateway.ts";
import { racing } from "../../support/interception.ts";

const fresh = `test-2:${toBase64(crypto.getRandomValues(new Uint8Array(32)))}`;
const both: Bindings = { ...bindings, VAULT_KEYS: `${fresh},${bindings.VAULT_KEYS}` };
const freshOnly: Bindings = { ...bindings, VAULT_KEYS: fresh };

beforeEach(() => {
  catchWakeUps();
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  // Each test starts from nothing but keys of the old ring.
  await bindings.DB.batch([
    bindings.DB.prepare("DELETE FROM connections"),
    bindings.DB.prepare("DELETE FROM api_keys"),
    bindings.DB.prepare("DELETE FROM owner_keys"),
    bindings.DB.prepare("DELETE FROM audit"),
  ]);
});

const rewrap = (body: Json = {}, using = both, client = "portal") =>
  portal("POST", "/vault/rewrap", body, client, using);

/** Step by step to the end, as an operator's loop does it. */
async function rewrapAll(limit: number, using = both): Promise<Json[]> {
  const steps: Json[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const { status, json }: { status: number; json: Json } = await rewrap(
      { limit, ...(cursor && { cursor }) },
      using,
    );
    expect(status).toBe(200);
    steps.push(json);
    cursor = json.next_cursor;
  }
  return steps;
}

async function ringKeys(): Promise<string[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT data_key FROM connections UNION ALL SELECT data_key FROM api_keys UNION ALL SELECT data_key FROM owner_keys",
  ).all<{ data_key: string }>();
  return [...new Set(results.map(({ data_key }) => data_key.split(".")[0] ?? ""))];
}

const sumOf = (steps: Json[], field: string): number => steps.reduce((sum, step) => sum + step[field], 0);

describe("POST /vault/rewrap", () => {
  it("completes in steps that report progress, and then has nothing left to do", async () => {
    for (let i = 0; i < 5; i++) await createConnection();
    for (let i = 0; i < 2; i++) await createApiKey();
    const steps = await rewrapAll(2);
    expect(sumOf(steps, "rewrapped")).toBe(7);
    expect(steps.map(({ examined }) => examined)).toEqual([2, 2, 1, 2, 0, 0]);
    expect(steps.map(({ remaining }) => remaining)).toEqual([5, 3, 2, 0, 0, 0]);
    expect(steps.map(({ done }) => done)).toEqual([false, false, false, false, false, true]);
    expect(steps[0]).toMatchObject({ success: true, ring_key: "test-2", failed: 0, untold: 0 });
    expect(await ringKeys()).toEqual(["test-2"]);
    expect(sumOf(await rewrapAll(100), "rewrapped")).toBe(0);
  });

  it("allows removing the old key from the ring: everything sealed before can be unsealed", async () => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const body = report();
    const archived = await accepted(connection, body);
    await deliverFiles([archived], creatorThat().using);
    advance(7_200_000);
    await runDurableObjectAlarm(gateOf(connection));
    const waiting = await accepted(connection);
    await rewrapAll(10);
    await runDurableObjectAlarm(gateOf(connection));

    const { received, using } = creatorThat();
    await deliverFiles([waiting], { ...using, VAULT_KEYS: fresh });
    expect(received.map(({ fileId }) => fileId)).toEqual([waiting]);
    expect((await post(connection, report(), {}, freshOnly)).status).toBe(202);
    const rotated = await portal(
      "POST",
      `/connections/${connection.id}/rotate-secret`,
      {},
      "portal",
      freshOnly,
    );
    expect(rotated.status).toBe(200);
    const listed = await portal("GET", `/connections/${connection.id}`, undefined, "portal", freshOnly);
    expect(listed.status).toBe(200);

    const gate = { kind: "connection", id: connection.id } as const;
    const object = await bindings.ARCHIVE.get(keyObjectKey(gate));
    const { wrappedKey } = JSON.parse((await object?.text()) ?? "{}") as KeyObject;
    const dataKey = await unwrapDataKey(parseKeyRing(fresh), wrappedKey, dataKeyContext(gate));
    const { objects } = await bindings.ARCHIVE.list({ prefix: `archive/7y/connection/${connection.id}/` });
    const segment = await bindings.ARCHIVE.get(objects[0]?.key ?? "");
    const bytes = new Uint8Array((await segment?.arrayBuffer()) ?? new ArrayBuffer(0));
    const { facts } = await recordOf(archived);
    const sealed = bytes.slice(0, facts.size + 29);
    expect(new TextDecoder().decode(await unseal(dataKey, sealed, payloadContext(gate, archived)))).toBe(
      body,
    );
    expect(await ringKeys()).toEqual(["test-2"]);
    expect(key.id).toBeTruthy();
  });

  it("loses no change that is made at the same time, and brings no erased key back", async () => {
    const rotated = await createBoundConnection();
    const erased = await createConnection();
    let next = "";
    const using = racing(async () => {
      const rotation = { overlap_seconds: 0 };
      next = (await portal("POST", `/connections/${rotated.id}/rotate-secret`, rotation)).json.secret;
      await bindings.DB.prepare("UPDATE connections SET data_key = '' WHERE id = ?").bind(erased.id).run();
    }, both);
    expect(await rewrapAll(100, using)).toMatchObject([{ rewrapped: 1 }, { rewrapped: 0 }, { rewrapped: 0 }]);
    expect((await ringKeys()).sort()).toEqual(["", "test-2"]);
    const { json } = await portal("GET", "/audit?action=vault.rewrapped");
    expect(json.audit.map((row: Json) => row.after)).toEqual([{ keys: 1 }]);
    expect((await post({ id: rotated.id, secret: next }, report(), {}, freshOnly)).status).toBe(202);
    expect((await post(rotated, report(), {}, freshOnly)).status).toBe(401);
  });

  it("reaches the keys of owners: their webhooks sign on without the old key", async () => {
    const owner = { owner_type: "payroll_company", owner_id: "acme:rewrapped" };
    const body = {
      ...owner,
      url: "https://hooks.receiver-audit.com/a",
      events: ["*"],
      environment: "sandbox",
    };
    const made = await portal("POST", "/webhooks", body);
    const steps = await rewrapAll(1);
    expect([sumOf(steps, "rewrapped"), sumOf(steps, "failed"), steps.at(-1)?.remaining]).toEqual([1, 0, 0]);
    expect(await ringKeys()).toEqual(["test-2"]);
    const rotate = `/webhooks/${made.json.webhook.id}/rotate-secret`;
    expect((await portal("POST", rotate, {}, "portal", freshOnly)).status).toBe(200);
    expect(sumOf(await rewrapAll(1), "rewrapped")).toBe(0);
  });

  it("skips a key that the ring does not unwrap, and counts it", async () => {
    const [, broken] = [await createConnection(), await createConnection()];
    await bindings.DB.prepare("UPDATE connections SET data_key = 'lost.AAAA' WHERE id = ?")
      .bind(broken.id)
      .run();
    const steps = await rewrapAll(1);
    expect([sumOf(steps, "rewrapped"), sumOf(steps, "failed")]).toEqual([1, 1]);
  });

  it("continues if a gate is unavailable, and the cron notifies it later", async () => {
    const connection = await createBoundConnection();
    const steps = await rewrapAll(100, withBrokenGates(both, "refresh"));
    expect(sumOf(steps, "untold")).toBe(1);
    await runCron();
    const fileId = (await post(connection, report(), {}, both)).json.file_id;
    const { received, using } = creatorThat();
    await deliverFiles([fileId], { ...using, VAULT_KEYS: both.VAULT_KEYS });
    expect(received).toHaveLength(1);
    const behind = await bindings.DB.prepare(
      "SELECT count(*) AS n FROM connections WHERE gate_version <> version",
    ).first();
    expect(behind).toEqual({ n: 0 });
  });

  it("is recorded in the audit trail, once per step that replaced keys", async () => {
    await createConnection();
    await rewrapAll(100);
    await rewrapAll(100);
    const { json } = await portal("GET", "/audit?action=vault.rewrapped");
    expect(json.audit).toMatchObject([
      { subject: { kind: "vault", id: "test-2" }, owner_id: null, after: { keys: 1 } },
    ]);
  });

  it("does not exist for a bound client", async () => {
    const answer = await rewrap({}, both, "bound");
    expect(answer).toMatchObject({ status: 404, json: { error: "Not Found" } });
    await createConnection();
    expect(await ringKeys()).toEqual(["test-1"]);
  });

  it.each([
    { limit: 0 },
    { limit: 101 },
    { limit: "5" },
    { cursor: "x" },
    { cursor: btoa('["vault",["users",""]]') },
    { all: true },
  ])("refuses %j by its name", async (body) => {
    const answer = await rewrap(body);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toEqual(Object.keys(body));
  });
});
