/**
 * Data stored by released code stays readable. `test/vectors/stored-formats.jsonl` holds a database, four gates and an archive bucket
 * as they were before the source was renamed; `stored-formats.write.test.ts` wrote it. A failure here means that a stored name or
 * format changed: change it back, or migrate the stored data.
 */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import wranglerConfig from "../../wrangler.toml?raw";
import {
  answering,
  catchWakeUps,
  creatorThat,
  deliver,
  resetCircuitBreaker,
  runCron,
  sha256,
} from "../support/forwarding.ts";
import { type Answer, bindings, type Json, portal, post, send, sign } from "../support/gateway.ts";
import { catchEndpointWakeUps, catchMails, handOver, receiver } from "../support/outbound.ts";
import { bodyOf, load, openSealed, stored } from "../support/stored-formats.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;

const { connection, deduplicating, leaving, key, leavingKey, webhook, paced, gone, ...known } = stored.known;
const GATE = `connection:${connection.id}`;
/** Bindings with a new first key in the ring, and without the old one. */
const NEW_KEY = `test-2:${btoa("abcdefghijklmnopqrstuvwxyz012345")}`;
const bothKeys = { ...bindings, VAULT_KEYS: `${NEW_KEY},${bindings.VAULT_KEYS}` };
const newKeyOnly = { ...bindings, VAULT_KEYS: NEW_KEY };

let wakeUps: { file_ids: string[] }[];

beforeEach(async () => {
  await load();
  await resetCircuitBreaker();
  wakeUps = catchWakeUps();
  catchEndpointWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Moves the clock to `ms` after the fixture was written. */
function later(ms: number): void {
  vi.setSystemTime(stored.writtenAt + ms);
}

function file(name: string): { id: string; body: string } {
  const found = known.files[name];
  if (found === undefined) throw new Error(`the fixture has no file ${name}`);
  return { id: found.id, body: bodyOf(found.body) };
}

async function bodyDigest(name: string): Promise<string> {
  return sha256(new TextEncoder().encode(file(name).body));
}

/** Repeats a request of the fixture, byte for byte unless it is given another body. */
function repeated(name: string, body?: string): Promise<Answer> {
  const request = known.requests[name];
  if (request === undefined) throw new Error(`the fixture has no request ${name}`);
  const { path, headers } = request;
  return send(`/api/v1${path}`, { method: "POST", headers, body: body ?? bodyOf(request.body) });
}

const byKey = (path: string, using = bindings): Promise<Answer> =>
  send(`/api/v1${path}`, { headers: { Authorization: `Bearer ${key.token}` } }, using);

async function statusOf(name: string): Promise<string> {
  return (await byKey(`/files/status/${file(name).id}`)).json.status;
}

const forward = (names: string[], using = bindings) =>
  deliver([{ file_ids: names.map((name) => file(name).id) }], using);

const wake = (id: string, using = bindings) => handOver([{ webhook_ids: [id] }], { using });

function inStorage<R>(object: string, work: (storage: DurableObjectStorage) => R): Promise<R> {
  return runInDurableObject(bindings.CONNECTION_GATE.getByName(object), (_gate, { storage }) =>
    work(storage),
  );
}

/** The object stored beside the connection's segments. */
async function keyObject(): Promise<{ gate: string; wrappedKey: string }> {
  const object = await bindings.ARCHIVE.get(`keys/connection/${connection.id}.json`);
  if (object === null) throw new Error("the connection has no key object");
  return object.json();
}

const WAITING = [
  "queued",
  "same body",
  "woken",
  "deferred",
  "replayed",
  "large",
  "deduplicated",
  "of a key",
  "of a key with a name",
];

describe("the API", () => {
  it("answers as it did when the data was written", async () => {
    for (const { path, as, json } of stored.answers) {
      const answer = as === "key" ? await byKey(path) : await portal("GET", path);
      // Fields may be added. An audit row without a request showed an empty id.
      const shown = JSON.parse(JSON.stringify(json), (name, value) =>
        name === "request_id" && value === "" ? null : value,
      );
      expect(answer.json, path).toMatchObject(shown);
    }
    expect(stored.answers.length).toBeGreaterThan(15);
  });
});

describe("a file that waits", () => {
  it("is forwarded with its body, from its row or from the archive bucket", async () => {
    const { received, using } = creatorThat();
    await forward(WAITING, using);
    const digests = await Promise.all(WAITING.map(async (name) => [file(name).id, await bodyDigest(name)]));
    expect(Object.fromEntries(received.map(({ fileId, sha256 }) => [fileId, sha256]))).toEqual(
      Object.fromEntries(digests),
    );
    for (const name of WAITING) expect([name, await statusOf(name)]).toEqual([name, "processing"]);
  });

  it("is forwarded with its stored facts", async () => {
    const { received, using } = creatorThat();
    await forward(WAITING, using);
    const sent = (name: string) => {
      const found = received.find(({ fileId }) => fileId === file(name).id);
      return Object.fromEntries(found?.headers ?? []);
    };
    expect(sent("queued")).toMatchObject({
      "idempotency-key": file("queued").id,
      "x-audit1-kind": "payroll_report",
      "x-audit1-employer-id": "EMP_STORED",
      "x-audit1-environment": "production",
      "x-audit1-content-type": "application/json",
      "x-audit1-connection-id": connection.id,
      "x-audit1-attempt": "1",
    });
    expect(sent("same body")["x-audit1-same-body-as"]).toBe(file("queued").id);
    expect(sent("deferred")["x-audit1-attempt"]).toBe("2");
    expect(sent("replayed")["idempotency-key"]).toBe(`${file("replayed").id}.2`);
    expect(sent("of a key with a name")).toMatchObject({
      "x-audit1-kind": "employee_sync",
      "x-audit1-api-key-id": key.id,
    });
  });

  it("is listed for operators until it is forwarded", async () => {
    const reasons = () =>
      bindings.DB.prepare("SELECT file_id, reason FROM attention ORDER BY reason").raw<[string, string]>();
    expect(await reasons()).toEqual([
      [file("deferred").id, "deferred"],
      [file("failed").id, "refused"],
    ]);
    await forward(["deferred"], creatorThat().using);
    expect(await reasons()).toEqual([[file("failed").id, "refused"]]);
  });

  it("is woken by the alarm once it is due", async () => {
    later(61 * SECOND);
    await runDurableObjectAlarm(bindings.CONNECTION_GATE.getByName(GATE));
    const woken = wakeUps.flatMap(({ file_ids }) => file_ids);
    for (const name of ["queued", "same body", "large", "owed"]) expect(woken).toContain(file(name).id);
    for (const name of ["deferred", "processing", "completed", "archived"])
      expect(woken).not.toContain(file(name).id);
  });

  it("accepts its missing payload when the sender repeats the request", async () => {
    const { status, json } = await repeated("receiving");
    const [reservation] = stored.rows("inbox_32933", GATE).filter(({ state }) => state === 0);
    expect([status, json.file_id.slice(-20)]).toEqual([202, reservation?.seq]);
    const { received, using } = creatorThat();
    await deliver([{ file_ids: [json.file_id] }], using);
    const body = bodyOf(known.requests.receiving?.body ?? "");
    expect(received.map(({ sha256 }) => sha256)).toEqual([await sha256(new TextEncoder().encode(body))]);
  });
});

describe("a request that was sent before", () => {
  it.each([
    "queued",
    "queued again",
    "same body",
    "large",
    "completed",
    "deduplicated",
    "deduplicated again",
    "of a key",
    "of a key with a name",
  ])("is recognized: %s", async (name) => {
    const { status, json } = await repeated(name);
    const { status: wanted, answer } = known.requests[name] ?? {};
    expect({ status, json }).toMatchObject({ status: wanted, json: answer ?? {} });
  });

  it("is recognized by its Idempotency-Key under a new signature, within a day", async () => {
    later(23 * HOUR);
    const named = (body: string, name: string, sender = connection) =>
      post(sender, body, { headers: { "Idempotency-Key": name } });
    const { body, id } = file("queued");
    expect((await named(body, "payroll-1")).json).toMatchObject({ file_id: id, duplicate: true });
    expect((await named('{"employees":[{}]}', "payroll-1")).status).toBe(409);
    // The gate knows this key from a repeat: it is an alias.
    const other = { ...deduplicating, oldSecret: "" };
    expect((await named(file("deduplicated").body, "payroll-2", other)).json).toMatchObject({
      file_id: file("deduplicated").id,
      duplicate: true,
    });
    expect((await named('{"employees":[{}]}', "payroll-2", other)).status).toBe(409);
  });

  it("is recognized by its body if the connection deduplicates", async () => {
    const { body, id } = file("deduplicated");
    later(MINUTE);
    expect((await post(deduplicating, body)).json).toMatchObject({ file_id: id, duplicate: true });
  });

  it.each([
    ["make-unused-connection", "connection"],
    ["make-unused-key", "apiKey"],
    ["make-paced", "webhook"],
  ])("returns the object and the secret that it created: %s", async (name, object) => {
    const { status, headers, json } = await repeated(name);
    const first = known.requests[name]?.answer ?? {};
    expect([status, headers.get("Idempotent-Replayed"), json.secret]).toEqual([201, "true", first.secret]);
    expect(json[object]._id ?? json[object].id).toBe(first[object]._id ?? first[object].id);
    const asked = JSON.parse(String(known.requests[name]?.body));
    const other = { ...asked, environment: "sandbox" };
    expect((await repeated(name, JSON.stringify(other))).status).toBe(409);
  });

  it("is recognized if it reported an event or a file's progress", async () => {
    const told = (id: string, data: Json) =>
      portal("POST", "/events", {
        owner_type: "payroll_company",
        owner_id: "acme",
        environment: "production",
        id,
        type: "policy.created",
        data,
      });
    const { status, json } = await told("evt_delivered", { policyId: "evt_delivered", premium: 12.5 });
    expect([status, json.duplicate]).toEqual([202, true]);
    expect((await told("evt_delivered", { policyId: "another" })).status).toBe(409);
    const data = { fileId: file("completed").id, recordsTotal: 3, recordsProcessed: 2, recordsFailed: 1 };
    const progress = await portal("POST", "/events", { id: "evt_processed", type: "file.processed", data });
    expect(progress.json).toMatchObject({ duplicate: true, status: "completed" });
  });
});

describe("a secret or a key", () => {
  it.each(["secret", "oldSecret"] as const)("signs a new report: the connection's %s", async (which) => {
    const answer = await post({ id: connection.id, secret: connection[which] }, '{"employees":[{}],"new":1}');
    expect([answer.status, answer.json.duplicate]).toEqual([202, false]);
  });

  it("stops working at the end of its overlap", async () => {
    later(DAY);
    const answer = await post({ id: connection.id, secret: connection.oldSecret }, '{"employees":[{}]}');
    expect(answer.status).toBe(401);
  });

  it("opens everything after the data keys are wrapped by a new key of the ring", async () => {
    const wrapped: Json[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const body = cursor === "" ? {} : { cursor };
      const { json } = await portal("POST", "/vault/rewrap", body, "portal", bothKeys);
      wrapped.push(json);
      cursor = json.next_cursor;
    }
    expect(wrapped.map(({ rewrapped, failed, untold }) => [rewrapped, failed, untold])).toEqual([
      [4, 0, 0],
      [3, 0, 0],
      [2, 0, 0],
    ]);
    await runDurableObjectAlarm(bindings.CONNECTION_GATE.getByName(GATE));
    expect((await keyObject()).wrappedKey).toMatch(/^test-2\./);
    expect((await post(connection, '{"employees":[{}],"new":2}', {}, newKeyOnly)).status).toBe(202);
    const { received, using } = creatorThat();
    await forward(["queued", "large", "of a key"], { ...using, VAULT_KEYS: NEW_KEY });
    expect(received).toHaveLength(3);
    expect((await byKey("/events", newKeyOnly)).json.events.length).toBeGreaterThan(5);
  });

  it("is erased when its erasure is due, with everything sealed under it", async () => {
    const count = (what: string) =>
      bindings.DB.prepare(`SELECT count(*) AS n FROM ${what}`).first<number>("n");
    const keyObject = `keys/connection/${leaving.id}.json`;
    expect(await bindings.ARCHIVE.head(keyObject)).not.toBeNull();
    expect(await count("events WHERE owner_id = 'globex'")).toBe(1);
    later(8 * DAY);
    await runCron();
    await runDurableObjectAlarm(bindings.CONNECTION_GATE.getByName(`connection:${leaving.id}`));
    expect(await bindings.ARCHIVE.head(keyObject)).toBeNull();
    expect(await count(`connections WHERE id = '${leaving.id}' AND data_key = '' AND secrets = '[]'`)).toBe(
      1,
    );
    expect(await count(`api_keys WHERE id = '${leavingKey.id}' AND data_key = ''`)).toBe(1);
    expect(await count("owner_keys WHERE owner_id = 'globex'")).toBe(0);
    expect(await count("events WHERE owner_id = 'globex'")).toBe(0);
    expect(await count("owner_keys")).toBe(1);
  });
});

describe("the archive", () => {
  const dataKey = async () => {
    const { gate, wrappedKey } = await keyObject();
    expect(gate).toBe(GATE);
    return { key: wrappedKey, context: `data-key:${GATE}` };
  };

  /** The bodies in a segment, by file id. */
  async function bodiesIn(key: string): Promise<Record<string, string>> {
    const object = await bindings.ARCHIVE.get(key);
    if (object === null) throw new Error(`no segment ${key}`);
    const bytes = new Uint8Array(await object.arrayBuffer());
    const decoder = new TextDecoder();
    expect(decoder.decode(bytes.slice(-8))).toBe("A1SEG001");
    const length = new DataView(bytes.buffer).getUint32(bytes.byteLength - 12);
    const manifest: { gate: string; files: { fileId: string; offset: number; length: number }[] } =
      JSON.parse(decoder.decode(bytes.slice(-12 - length, -12)));
    expect(manifest.gate).toBe(GATE);
    const wrapped = await dataKey();
    const opened = manifest.files.map(async ({ fileId, offset, length }) => {
      const sealed = bytes.slice(offset, offset + length);
      return [fileId, await openSealed(wrapped, sealed, `payload:${GATE}:${fileId}`)];
    });
    return Object.fromEntries(await Promise.all(opened));
  }

  it("returns an archived report for a replay", async () => {
    const { id } = file("archived");
    expect((await portal("POST", `/files/${id}/replay`)).status).toBe(202);
    const { received, using } = creatorThat();
    await forward(["archived"], using);
    expect(received).toMatchObject([{ fileId: id, key: `${id}.2`, sha256: await bodyDigest("archived") }]);
  });

  it("opens its old segments and new ones with the key object stored beside them", async () => {
    const there = [...stored.archive.keys()].filter((key) => key.endsWith("-1.seg"));
    expect(there).toHaveLength(1);
    const old = await bodiesIn(there[0] ?? "");
    expect(Object.keys(old)).toHaveLength(100);
    expect(old[file("archived").id]).toBe(file("archived").body);

    const settled = ["processing", "completed", "failed", "owed"];
    later(2 * HOUR);
    for (let run = 0; run < 3; run++) {
      later(2 * HOUR + run * MINUTE);
      await runDurableObjectAlarm(bindings.CONNECTION_GATE.getByName(GATE));
    }
    const { objects } = await bindings.ARCHIVE.list();
    const added = objects.map(({ key }) => key).filter((key) => !stored.archive.has(key));
    // One put met its deadline: later segments are named apart from it, because it may still arrive.
    const day = `archive/7y/connection/${connection.id}/2060/03/02`;
    expect(added).toEqual([`${day}/${file("processing").id.slice(-20)}-1.seg`]);
    const bodies = await bodiesIn(added[0] ?? "");
    for (const name of settled) expect(bodies[file(name).id]).toBe(file(name).body);
    expect(Object.keys(bodies)).not.toContain(file("archived").id);
  });

  it("continues from the gate's marks, which keep their names", async () => {
    const names = (rows: Json[]) => rows.map(({ name }) => name).sort();
    later(2 * HOUR);
    await runDurableObjectAlarm(bindings.CONNECTION_GATE.getByName(GATE));
    const now = await inStorage(GATE, ({ sql }) => sql.exec("SELECT name FROM marks").toArray());
    // The last is that of a report that has waited for two hours by now.
    const known = [...stored.rows("marks", GATE), { name: "waiting_raised_at" }];
    expect(names(now)).toEqual(names(known));
  });

  it("keeps the files-creator's error sealed under the context of its file", async () => {
    const errorOf = async (name: string): Promise<string> => {
      const { id } = file(name);
      const error = await inStorage(GATE, ({ sql }) =>
        sql.exec("SELECT error FROM inbox_32933 WHERE seq = ?", id.slice(-20)).one(),
      );
      if (!(error.error instanceof ArrayBuffer)) throw new Error(`${name} has no error`);
      return openSealed(await dataKey(), new Uint8Array(error.error), `error:${GATE}:${id}`);
    };
    expect([await errorOf("failed"), await errorOf("deferred")]).toEqual(["never", "not now"]);
    await forward(["queued"], creatorThat(answering(new Response("later", { status: 503 }))).using);
    expect(await errorOf("queued")).toBe("later");
  });
});

describe("a webhook", () => {
  it("sends due deliveries to its address, with its headers, signed by its secrets", async () => {
    later(3 * MINUTE);
    const { calls } = receiver();
    await wake(webhook.id);
    expect(calls.map(({ body }) => body.id)).toContain("evt_retrying");
    expect(calls.length).toBeGreaterThan(5);
    for (const { url, headers, text } of calls) {
      expect(url).toBe(webhook.url);
      for (const [name, value] of Object.entries(webhook.headers)) expect(headers.get(name)).toBe(value);
      const at = headers.get("X-Webhook-Timestamp") ?? "";
      expect(headers.get("X-Webhook-Signature")).toBe(await sign(webhook.secret, at, text));
      expect(headers.get("X-Webhook-Signature-Next")).toBe(await sign(webhook.newSecret, at, text));
    }
    const retried = calls.find(({ body }) => body.id === "evt_retrying");
    expect(retried?.body).toMatchObject({
      type: "policy.created",
      data: { policyId: "evt_retrying", premium: 12.5 },
      metadata: { source: "audit1", environment: "production" },
    });
    const { deliveries } = (await portal("GET", `/webhooks/${webhook.id}/deliveries`)).json;
    for (const { status } of deliveries) expect(status).toBe("delivered");
    const [of] = deliveries.filter(({ eventId }: Json) => eventId === "evt_retrying");
    const { history } = (await portal("GET", `/deliveries/${of.id}`)).json.delivery;
    expect(history.map(({ answer }: Json) => answer)).toEqual(["come back later", "ok"]);
  });

  it("keeps to its pace", async () => {
    const [row] = stored.rows("webhooks").filter(({ id }) => id === paced.id);
    const until = Number(row?.paced_until);
    const { calls } = receiver();
    vi.setSystemTime(until - 30 * SECOND);
    await wake(paced.id);
    expect(calls).toEqual([]);
    vi.setSystemTime(until + SECOND);
    await wake(paced.id);
    expect(calls.map(({ body }) => body.id)).toEqual(["evt_paced"]);
    expect(calls[0]?.headers.get("Audit1-Signature")).toMatch(/^sha256=/);
  });

  it("keeps its health when it is given the address that it already has", async () => {
    const provenAt = () =>
      bindings.DB.prepare("SELECT proven_at FROM webhooks WHERE id = ?").bind(webhook.id).first("proven_at");
    await portal("PATCH", `/webhooks/${webhook.id}`, { url: webhook.url });
    expect(await provenAt()).not.toBeNull();
    await portal("PATCH", `/webhooks/${webhook.id}`, { url: `${webhook.url}2` });
    expect(await provenAt()).toBeNull();
  });

  it("receives the event that a gate still owes it", async () => {
    const { id } = file("owed");
    const events = async () => (await byKey("/events")).json.events.map(({ id }: Json) => id);
    expect(await events()).not.toContain(`evt_uploaded_${id}_1`);
    await forward(["owed"]);
    expect(await events()).toContain(`evt_uploaded_${id}_1`);
    expect(await inStorage(GATE, ({ sql }) => sql.exec("SELECT * FROM owed").toArray())).toEqual([]);
  });

  it("continues its replay, and a mail reports that another one was disabled", async () => {
    const mails = catchMails();
    later(SECOND);
    await runCron();
    expect(mails.map(({ text }) => text).join("\n")).toContain(gone.id);
    const { replay } = (await portal("GET", `/webhooks/${webhook.id}/replays/${known.replay}`)).json;
    expect(replay).toMatchObject({ status: "done", only: "all" });
    expect(replay.queued).toBeGreaterThan(0);
    const { calls } = receiver();
    await wake(webhook.id);
    expect(calls.map(({ body }) => body.id)).toContain("evt_delivered");
  });
});

describe("a durable object", () => {
  it("keeps its class, its binding and its name", async () => {
    expect(wranglerConfig).toMatch(
      /tag = "v1", new_sqlite_classes = \[\s*"ConnectionGate",\s*"ForwardingGovernor"\s*\]/,
    );
    for (const [binding, name] of [
      ["CONNECTION_GATE", "ConnectionGate"],
      ["FORWARDING_GOVERNOR", "ForwardingGovernor"],
    ])
      expect(wranglerConfig).toMatch(new RegExp(`name = "${binding}",?\\s*class_name = "${name}"`));
    const answer = await post(connection, '{"employees":[{}],"new":3}');
    const rows = await inStorage(GATE, ({ sql }) =>
      sql.exec("SELECT seq FROM inbox_32933 WHERE seq = ?", answer.json.file_id.slice(-20)).toArray(),
    );
    expect(rows).toHaveLength(1);
  });

  it("stores nothing as the circuit breaker", async () => {
    const away = () => new Response(null, { status: 503 });
    await forward(WAITING, creatorThat(away).using);
    const breaker = bindings.FORWARDING_GOVERNOR.getByName("files-creator");
    const { received, using } = creatorThat();
    await forward(["archived", "failed", ...WAITING], using);
    expect(received).toEqual([]);
    const kept = await runInDurableObject(breaker, async (_breaker, { storage }) => [
      ...(await storage.list()).keys(),
      ...storage.sql.exec("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'"),
    ]);
    expect(kept).toEqual([]);
  });
});
