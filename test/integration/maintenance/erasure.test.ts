import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SealBroken } from "../../../src/crypto/vault.ts";
import { keyObjectKey } from "../../../src/gate/archive-format.ts";
import { dataKeyOf, dumpArchive, dumpDatabase, dumpGate } from "../../support/at-rest.ts";
import { operationNamed, problemsWith } from "../../support/contract.ts";
import { createDeveloper, PAYROLL, payroll, submit } from "../../support/developer.ts";
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
  createBoundConnection,
  createConnection,
  gateOf,
  type Json,
  portal,
  post,
  send,
} from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { catchEndpointWakeUps, deliveriesOf, receiver, stored, wake } from "../../support/outbound.ts";

const HOUR = 3_600_000;
const WEEK = 7 * 24 * HOUR;

beforeEach(() => {
  catchWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const remove = (id: string, query: string) => portal("DELETE", `/connections/${id}${query}`);
const wrappedKeyOf = async (id: string): Promise<string> => {
  const row = await bindings.DB.prepare("SELECT data_key FROM connections WHERE id = ?")
    .bind(id)
    .first<Json>();
  return row?.data_key;
};
const addressOf = (id: string) => ({ kind: "connection", id }) as const;

/** A connection with a report in the archive and one that the files-creator never got. */
async function withReports() {
  const connection = await createBoundConnection();
  const archived = await accepted(connection);
  await deliverFiles([archived], creatorThat().using);
  advance(2 * HOUR);
  await runDurableObjectAlarm(gateOf(connection));
  const waiting = await accepted(connection);
  return { connection, archived, waiting, wrappedKey: await wrappedKeyOf(connection.id) };
}

const everything = async (fileId: string) =>
  [await dumpDatabase(), await dumpGate(fileId), await dumpArchive()].join("\n");

describe("DELETE /connections/{id}?erase=true", () => {
  it("says when, and says the same when it is repeated", async () => {
    const { id } = await createConnection();
    const before = Date.now();
    const answer = await remove(id, "?erase=true");
    expect(answer).toMatchObject({ status: 200, json: { message: "connection_deleted" } });
    const at = Date.parse(answer.json.erase_at);
    expect(at).toBeGreaterThanOrEqual(before + WEEK);
    expect(at).toBeLessThanOrEqual(Date.now() + WEEK);
    expect((await remove(id, "?erase=true")).json).toEqual(answer.json);
    expect((await remove(id, "")).json).toEqual(answer.json);
  });

  it("lets reports arrive until then", async () => {
    const { connection, waiting } = await withReports();
    await remove(connection.id, "?erase=true");
    advance(WEEK - 60_000);
    await runCron();
    const { received, using } = creatorThat();
    await deliverFiles([waiting], using);
    expect(received.map(({ fileId }) => fileId)).toEqual([waiting]);
  });

  it("leaves no copy of the data key anywhere, so that nothing of the connection can be unsealed", async () => {
    const { connection, archived, waiting, wrappedKey } = await withReports();
    expect(await everything(archived)).toContain(wrappedKey);
    expect(await bindings.ARCHIVE.head(keyObjectKey(addressOf(connection.id)))).not.toBeNull();
    await remove(connection.id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron();
    await runDurableObjectAlarm(gateOf(connection));
    expect(await everything(archived)).not.toContain(wrappedKey);
    expect(await everything(waiting)).not.toContain(wrappedKey);
    expect(await bindings.ARCHIVE.head(keyObjectKey(addressOf(connection.id)))).toBeNull();
    const row = await bindings.DB.prepare("SELECT secrets, data_key FROM connections WHERE id = ?")
      .bind(connection.id)
      .first();
    expect(row).toEqual({ secrets: "[]", data_key: "" });
    await expect(dataKeyOf(addressOf(connection.id))).rejects.toBeInstanceOf(SealBroken);
    expect((await post(connection)).status).toBe(404);
  });

  it("fails files that can no longer be unsealed, and does not delay other reports", async () => {
    const { connection, archived, waiting } = await withReports();
    await remove(connection.id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron();
    const other = await accepted(await createBoundConnection());
    const { received, using } = creatorThat();
    const delivered = await deliverFiles([waiting, other], using);
    expect(delivered).toEqual({ acked: [0], retried: [] });
    expect(received.map(({ fileId }) => fileId)).toEqual([other]);
    expect((await recordOf(waiting)).status).toBe("failed");
    await portal("POST", "/events", { id: "evt_1", type: "file.processed", data: { fileId: archived } });
    for (const fileId of [waiting, archived])
      expect(await portal("POST", `/files/${fileId}/replay`)).toMatchObject({
        status: 404,
        json: { error: "file_not_found" },
      });
  });

  it("keeps the audit trail, to the end", async () => {
    const { id } = await createConnection();
    await remove(id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron();
    await runCron();
    const { json } = await portal("GET", `/audit?subject=connection:${id}`);
    const minted = expect.stringMatching(/^req_p/);
    expect(json.audit.map((row: Json) => [row.action, row.actor, row.request_id])).toEqual([
      ["connection.erased", "system:erasure", null],
      ["connection.deleted", "client:portal", minted],
      ["connection.created", "client:portal", minted],
    ]);
  });

  it("completes although the gate was unavailable", async () => {
    const { connection, archived, wrappedKey } = await withReports();
    await remove(connection.id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron(Date.now(), withBrokenGates(bindings, "refresh"));
    expect(await wrappedKeyOf(connection.id)).toBe("");
    expect(await dumpGate(archived)).toContain(wrappedKey);
    await runCron();
    await runDurableObjectAlarm(gateOf(connection));
    expect(await everything(archived)).not.toContain(wrappedKey);
  });

  it("can be added to a deletion, and cancelled until it is done", async () => {
    const { connection, waiting } = await withReports();
    expect((await remove(connection.id, "")).json.erase_at).toBeNull();
    expect((await remove(connection.id, "?erase=true")).json.erase_at).not.toBeNull();
    expect((await remove(connection.id, "?erase=false")).json.erase_at).toBeNull();
    advance(WEEK + 60_000);
    await runCron();
    const { received, using } = creatorThat();
    await deliverFiles([waiting], using);
    expect(received).toHaveLength(1);
    expect((await post(connection)).status).toBe(404);
  });

  it("cannot be cancelled once it is done", async () => {
    const { id } = await createConnection();
    const { json } = await remove(id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron();
    expect((await remove(id, "?erase=false")).json).toEqual(json);
    expect(await wrappedKeyOf(id)).toBe("");
  });
});

describe("DELETE /api-keys/{id}?erase=true", () => {
  const removeKey = (id: string, query = "") => portal("DELETE", `/api-keys/${id}${query}`);
  const wrappedKey = (id: string) =>
    bindings.DB.prepare("SELECT data_key FROM api_keys WHERE id = ?").bind(id).first<string>("data_key");

  async function withReport() {
    const developer = await createDeveloper();
    const { json } = await submit(developer, PAYROLL, payroll(developer));
    return { developer, fileId: json.file_id as string, wrapped: await wrappedKey(developer.id) };
  }

  it("leaves no copy of the data key, and fails files that can no longer be unsealed", async () => {
    const { developer, fileId, wrapped } = await withReport();
    expect(await everything(fileId)).toContain(wrapped);
    const before = Date.now();
    const answer = await removeKey(developer.id, "?erase=true");
    expect(answer).toMatchObject({ status: 200, json: { message: "api_key_deleted" } });
    expect(Date.parse(answer.json.erase_at)).toBeGreaterThanOrEqual(before + WEEK);
    expect((await removeKey(developer.id)).json).toEqual(answer.json);
    advance(WEEK + 60_000);
    await runCron();
    await runDurableObjectAlarm(gateOf(developer, "key"));
    expect(await everything(fileId)).not.toContain(wrapped);
    expect(await wrappedKey(developer.id)).toBe("");
    expect(await deliverFiles([fileId], creatorThat().using)).toEqual({ acked: [0], retried: [] });
    expect((await recordOf(fileId)).status).toBe("failed");
    const { json } = await portal("GET", `/audit?subject=api_key:${developer.id}`);
    expect(json.audit.map(({ action, actor }: Json) => [action, actor])).toEqual([
      ["api_key.erased", "system:erasure"],
      ["api_key.deactivated", "client:portal"],
      ["api_key.created", "client:portal"],
    ]);
  });

  it("is for good: the key is never enabled again, before it has happened or after", async () => {
    const { developer } = await withReport();
    await removeKey(developer.id, "?erase=true");
    const enable = () => portal("PATCH", `/api-keys/${developer.id}`, { is_active: true });
    const refused = { status: 409, json: { error: "api_key_erased", code: "CONFLICT" } };
    expect(await enable()).toMatchObject(refused);
    advance(WEEK + 60_000);
    await runCron();
    expect(await enable()).toMatchObject(refused);
    expect((await removeKey(developer.id, "?erase=false")).json.erase_at).not.toBeNull();
    expect(await enable()).toMatchObject(refused);
    expect((await submit(developer, PAYROLL, payroll(developer))).status).toBe(401);
  });

  it("can be cancelled until it is done; then the key can be enabled again", async () => {
    const { developer, fileId } = await withReport();
    await removeKey(developer.id, "?erase=true");
    expect((await removeKey(developer.id, "?erase=false")).json).toEqual({
      message: "api_key_deleted",
      erase_at: null,
    });
    advance(WEEK + 60_000);
    await runCron();
    expect((await portal("PATCH", `/api-keys/${developer.id}`, { is_active: true })).status).toBe(200);
    const { received, using } = creatorThat();
    await deliverFiles([fileId], using);
    expect(received).toHaveLength(1);
  });

  it("is for the owner's own keys, and says yes or no", async () => {
    const { id } = await createDeveloper({ owner_id: "initech" });
    expect((await portal("DELETE", `/api-keys/${id}?erase=true`, undefined, "bound")).status).toBe(404);
    expect((await removeKey(id, "?erase=perhaps")).status).toBe(400);
    expect((await removeKey(id)).json).toEqual({ message: "api_key_deleted" });
  });
});

describe("DELETE /owners/{owner_type}/{owner_id}/data", () => {
  let owners = 0;
  const freshOwner = () => ({ owner_type: "payroll_company", owner_id: `erased-${++owners}` });
  const erase = (owner: Json, query = "", client = "portal") =>
    portal("DELETE", `/owners/${owner.owner_type}/${owner.owner_id}/data${query}`, undefined, client);
  const event = (owner: Json) =>
    portal("POST", "/events", {
      ...owner,
      environment: "production",
      id: `evt_${crypto.randomUUID()}`,
      type: "policy.created",
      data: { policyId: "WC1" },
    });
  const listed = async (owner: Json) => {
    const query = new URLSearchParams({ ...owner, environment: "production" });
    const answer = await portal("GET", `/events?${query}`);
    expect(answer.status).toBe(200);
    return answer.json.events;
  };
  const register = async (owner: Json) => {
    const asked = {
      ...owner,
      environment: "production",
      url: "https://hooks.gone-audit.com/",
      events: ["*"],
    };
    const { json } = await portal("POST", "/webhooks", { ...asked, headers: { "X-Key": "k" } });
    return { id: json.webhook._id as string };
  };
  const keyOf = async ({ owner_id }: Json) =>
    bindings.DB.prepare("SELECT data_key FROM owner_keys WHERE owner_id = ?")
      .bind(owner_id)
      .first<string>("data_key");
  const audited = async (owner: Json) => {
    const { json } = await portal("GET", `/audit?subject=owner:${owner.owner_type}:${owner.owner_id}`);
    return json.audit.map(({ action, actor }: Json) => [action, actor]);
  };

  /** An owner with a webhook that has had one event and waits for another. */
  async function withDeliveries(owner: Json = freshOwner()) {
    catchEndpointWakeUps();
    const { calls } = receiver(() => new Response("thank you"));
    const hook = await register(owner);
    await event(owner);
    await wake(hook);
    await event(owner);
    return { owner, hook, calls, wrappedKey: await keyOf(owner) };
  }

  it("sends nothing more from the answer on, and says when it erases, the same when it is repeated", async () => {
    const { owner, hook, calls } = await withDeliveries();
    const before = Date.now();
    const answer = await erase(owner);
    expect(answer).toMatchObject({ status: 200, json: { success: true } });
    const at = Date.parse(answer.json.erase_at);
    expect(at).toBeGreaterThanOrEqual(before + WEEK);
    expect(at).toBeLessThanOrEqual(Date.now() + WEEK);
    await wake(hook);
    expect(calls).toHaveLength(1);
    expect((await deliveriesOf(hook))[1]).toMatchObject({
      status: "skipped",
      last_error: "webhook_disabled",
    });
    expect(await stored(hook)).toMatchObject({ status: "disabled", disabled_reason: "requested" });
    expect((await erase(owner)).json).toEqual(answer.json);
    expect(await audited(owner)).toEqual([["owner.erasure_set", "client:portal"]]);
    advance(WEEK - 60_000);
    await runCron();
    expect(await listed(owner)).toHaveLength(2);
  });

  it("leaves nothing that can be unsealed, and closes waiting deliveries", async () => {
    const { owner, hook, wrappedKey } = await withDeliveries();
    const early = await register(owner);
    await portal("DELETE", `/webhooks/${early.id}`);
    const other = await withDeliveries();
    expect(await dumpDatabase()).toContain(wrappedKey);
    await erase(owner);
    await portal("PATCH", `/webhooks/${hook.id}`, { status: "active" });
    await event(owner);
    advance(WEEK + 60_000);
    await runCron();
    await wake(hook);
    expect(await dumpDatabase()).not.toContain(wrappedKey);
    expect(await keyOf(owner)).toBeNull();
    expect(await listed(owner)).toEqual([]);
    expect(await stored(hook)).toMatchObject({ status: "disabled", secrets: "[]", headers: null });
    expect((await portal("GET", `/webhooks/${hook.id}`)).status).toBe(404);
    const { json } = await portal("GET", `/webhooks/${hook.id}/deliveries`);
    expect(json.deliveries.map(({ status, eventId }: Json) => [status, eventId])).toEqual([
      ["failed", null],
      ["failed", null],
      ["delivered", null],
    ]);
    const [delivered] = json.deliveries.slice(-1);
    const read = await portal("GET", `/deliveries/${delivered.id}`);
    expect(read).toMatchObject({ status: 200, json: { delivery: { history: [{ answer: null }] } } });
    const { content } = operationNamed("getDelivery").described.responses[200];
    expect(problemsWith(read.json, content["application/json"].schema)).toEqual([]);
    expect(await keyOf(owner)).toBeNull();
    expect(await audited(owner)).toEqual([
      ["owner.erased", "system:erasure"],
      ["owner.erasure_set", "client:portal"],
    ]);
    expect(await keyOf(other.owner)).toBe(other.wrappedKey);
    expect(await listed(other.owner)).toHaveLength(2);
    expect(await stored(other.hook)).toMatchObject({ status: "active", deleted_at: null });
  });

  it("keeps only the host of its webhooks' URLs, also of deleted webhooks and of URLs in the clear", async () => {
    const owner = freshOwner();
    const url = "https://hooks.gone-audit.com:8443/services/PATH?sig=QUERY";
    const asked = { ...owner, environment: "production", url, events: ["*"] };
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await portal("POST", "/webhooks", asked)).json.webhook._id);
    const [first, second, third] = ids;
    await portal("DELETE", `/webhooks/${first}`);
    await bindings.DB.prepare("UPDATE webhooks SET url = ?2, target = NULL WHERE id = ?1")
      .bind(second, url)
      .run();
    expect((await portal("GET", `/webhooks/${third}`)).json.webhook.url).toBe(url);
    await erase(owner);
    advance(WEEK + 60_000);
    await runCron();
    for (const id of ids)
      expect(await stored({ id })).toMatchObject({
        url: "sealed://hooks.gone-audit.com:8443/",
        target: JSON.stringify({ masked: "hooks.gone-audit.com:8443/…", fingerprint: "", sealed: "" }),
      });
  });

  it("stores no test that is in flight meanwhile", async () => {
    const { owner, hook } = await withDeliveries();
    receiver(async () => {
      await erase(owner);
      advance(WEEK + 60_000);
      await runCron();
      return new Response();
    });
    expect((await portal("POST", `/webhooks/${hook.id}/test`)).status).toBe(404);
    expect(await listed(owner)).toEqual([]);
  });

  it("lets the owner start over, and shows no answer that was stored before", async () => {
    const { owner, hook } = await withDeliveries();
    await erase(owner);
    advance(WEEK + 60_000);
    await runCron();
    advance(60_000);
    const again = await withDeliveries(owner);
    expect(again.calls).toHaveLength(1);
    expect(await listed(owner)).toHaveLength(2);
    for (const [of, answer] of [
      [hook, null],
      [again.hook, "thank you"],
    ] as const) {
      const { json } = await portal("GET", `/webhooks/${of.id}/deliveries`);
      const read = await portal("GET", `/deliveries/${json.deliveries.at(-1).id}`);
      expect(read).toMatchObject({ status: 200, json: { delivery: { history: [{ answer }] } } });
    }
  });

  /** The bindings, with the owner erased between its key being read and the first batch, and given a new key where `anew`. */
  function erasedMeanwhile(owner: Json, anew: boolean) {
    let first = true;
    return intercepted(async (call, proceed) => {
      if (call === "DB.batch" && first) {
        first = false;
        await erase(owner);
        advance(WEEK + 60_000);
        await runCron();
        if (anew) await event(owner);
      }
      return proceed();
    });
  }

  it.each([
    ["an event", "/events", false],
    ["an event", "/events", true],
    ["a webhook", "/webhooks", false],
    ["a webhook", "/webhooks", true],
  ] as const)(
    "that meets %s leaves nothing that does not open (%s, new key: %s)",
    async (_what, path, anew) => {
      const { owner } = await withDeliveries();
      const about = { ...owner, environment: "production" };
      const body =
        path === "/events"
          ? { ...about, id: "evt_met", type: "policy.created", data: { policyId: "WC2" } }
          : { ...about, url: "https://hooks.gone-audit.com/", events: ["*"] };
      const answer = await portal("POST", path, body, "portal", erasedMeanwhile(owner, anew));
      expect(answer.status).toBe(path === "/events" ? 202 : 201);
      const events = await listed(owner);
      expect(events).toHaveLength((path === "/events" ? 1 : 0) + (anew ? 1 : 0));
      if (path === "/webhooks") {
        receiver(() => new Response());
        expect((await portal("POST", `/webhooks/${answer.json.webhook.id}/test`)).json.success).toBe(true);
      }
    },
  );

  it("does not break pages: they omit rows that cannot be unsealed, and log them", async () => {
    const { owner, hook } = await withDeliveries();
    await bindings.DB.prepare(
      "UPDATE events SET data = 'AAAA' WHERE seq = (SELECT min(seq) FROM events WHERE owner_id = ?)",
    )
      .bind(owner.owner_id)
      .run();
    await bindings.DB.prepare(
      'UPDATE deliveries SET history = replace(history, \'"answer":"\', \'"answer":"AAAA\') WHERE webhook_id = ?',
    )
      .bind(hook.id)
      .run();
    const logs = vi.spyOn(console, "error");
    expect(await listed(owner)).toHaveLength(1);
    const { json } = await portal("GET", `/webhooks/${hook.id}/deliveries`);
    const read = await portal("GET", `/deliveries/${json.deliveries.at(-1).id}`);
    expect(read).toMatchObject({ status: 200, json: { delivery: { history: [{ answer: null }] } } });
    expect(JSON.stringify(logs.mock.calls).match(/does not open/g)?.length).toBeGreaterThanOrEqual(2);
  });

  it("includes what the owner created under an Idempotency-Key", async () => {
    const { owner } = await withDeliveries();
    await erase(owner);
    advance(WEEK + 30_000);
    const headers = {
      "X-Client-ID": "portal",
      "X-Client-Secret": "portal-secret",
      "Content-Type": "application/json",
      "Idempotency-Key": "once",
    };
    const body = JSON.stringify({ ...owner, environment: "sandbox" });
    expect((await send("/api/v1/api-keys", { method: "POST", headers, body })).status).toBe(201);
    const kept = () =>
      bindings.DB.prepare("SELECT count(*) AS n FROM creations WHERE owner_id = ?")
        .bind(owner.owner_id)
        .first("n");
    expect(await kept()).toBe(1);
    await runCron();
    expect(await kept()).toBe(0);
  });

  const storeEvents = (owner: Json, count: number) =>
    bindings.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
       INSERT INTO events (id, owner_type, owner_id, environment, type, created_at, source, content_mac, size, data)
       SELECT 'evt_' || i, ?1, ?2, 'sandbox', 'policy.created', 1, 'x', '', 2, 'AAAA' FROM n`,
    )
      .bind(owner.owner_type, owner.owner_id, count)
      .run();
  const storedEvents = ({ owner_id }: Json) =>
    bindings.DB.prepare("SELECT count(*) AS n FROM events WHERE owner_id = ?").bind(owner_id).first("n");

  it("erases an owner of many events as a whole", async () => {
    const { owner, wrappedKey } = await withDeliveries();
    await storeEvents(owner, 1_200);
    await erase(owner);
    advance(WEEK + 60_000);
    await runCron();
    expect(await storedEvents(owner)).toBe(0);
    expect(await keyOf(owner)).not.toBe(wrappedKey);
  });

  it("deletes no more than a hundred statements can in a minute, whosever events they are, and the rest after that", async () => {
    const [first, second] = [await withDeliveries(), await withDeliveries()];
    for (const { owner } of [first, second]) {
      await storeEvents(owner, 30_000);
      await erase(owner);
    }
    advance(WEEK + 60_000);
    await runCron();
    const left = [await storedEvents(first.owner), await storedEvents(second.owner)].map(Number);
    expect(left.toSorted((a, b) => a - b)).toEqual([0, 10_502]);
    await runCron();
    expect([await storedEvents(first.owner), await storedEvents(second.owner)]).toEqual([0, 0]);
    expect([await keyOf(first.owner), await keyOf(second.owner)]).toEqual([null, null]);
  });

  it("can be cancelled until it is done; the webhooks stay disabled", async () => {
    const { owner, hook, calls, wrappedKey } = await withDeliveries();
    await erase(owner);
    await wake(hook);
    expect((await erase(owner, "?erase=false")).json).toEqual({ success: true, erase_at: null });
    advance(WEEK + 60_000);
    await runCron();
    expect(await keyOf(owner)).toBe(wrappedKey);
    expect(await stored(hook)).toMatchObject({ status: "disabled", deleted_at: null });
    await portal("PATCH", `/webhooks/${hook.id}`, { status: "active" });
    await event(owner);
    await wake(hook);
    expect(calls).toHaveLength(2);
    expect(await audited(owner)).toEqual([
      ["owner.erasure_withdrawn", "client:portal"],
      ["owner.erasure_set", "client:portal"],
    ]);
  });

  it("cannot be cancelled once it is due", async () => {
    const { owner, wrappedKey } = await withDeliveries();
    const { json } = await erase(owner);
    advance(WEEK + 60_000);
    expect((await erase(owner, "?erase=false")).json).toEqual(json);
    await runCron();
    expect(await keyOf(owner)).not.toBe(wrappedKey);
    expect((await erase(owner, "?erase=false")).json).toEqual({ success: true, erase_at: null });
  });

  it("is available to the owner's own client, and to no other owner's", async () => {
    const { owner } = await withDeliveries();
    expect(await erase(owner, "", "bound")).toMatchObject({
      status: 404,
      json: { error: "owner_not_found" },
    });
    const acme = { owner_type: "payroll_company", owner_id: "acme" };
    await withDeliveries(acme);
    expect((await erase(acme, "", "bound")).status).toBe(200);
    expect((await erase(acme, "?erase=false", "bound")).json.erase_at).toBeNull();
  });

  it.each([
    [{ owner_type: "payroll_company", owner_id: "nobody" }, "", 200],
    [{ owner_type: "payroll_company", owner_id: "nobody" }, "?erase=false", 200],
    [{ owner_type: "nonsense", owner_id: "acme" }, "", 404],
    [{ owner_type: "payroll_company", owner_id: "a%20b" }, "", 404],
    [{ owner_type: "payroll_company", owner_id: "acme" }, "?erase=perhaps", 400],
  ])("for %j%s is %i", async (owner, query, status) => {
    expect((await erase(owner, query)).status).toBe(status);
  });
});
