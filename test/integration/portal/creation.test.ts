import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { dumpDatabase } from "../../support/at-rest.ts";
import { advance, catchWakeUps, runCron } from "../../support/forwarding.ts";
import { type Answer, createEmployer, type Json, post, send } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { catchEndpointWakeUps, receiver, wake } from "../../support/outbound.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const HOUR = 3_600_000;
const OWNER = { owner_type: "payroll_company", owner_id: "acme" };
let keys = 0;
const newKey = () => `create ${++keys}/${crypto.randomUUID()}`;

interface Asking {
  key: string;
  client?: string;
  using?: Bindings;
}

function asked(
  method: string,
  path: string,
  body: string | undefined,
  { key, client = "portal", using }: Asking,
) {
  const headers = {
    "X-Client-ID": client,
    "X-Client-Secret": `${client}-secret`,
    "Content-Type": "application/json",
    "Idempotency-Key": key,
  };
  return send(`/api/v1${path}`, { method, headers, ...(body !== undefined && { body }) }, using);
}

const KINDS = [
  {
    path: "/connections",
    name: "connection",
    body: (fields: Json = {}) => ({ ...OWNER, environment: "production", description: "A", ...fields }),
    idOf: ({ json }: Answer): string => json.connection.id,
  },
  {
    path: "/webhooks",
    name: "webhook",
    body: (fields: Json = {}) => ({
      ...OWNER,
      environment: "production",
      url: "https://hooks.acme-payroll.com/x",
      events: ["file.*", "policy.created"],
      headers: { "X-Key": "k", "X-Other": "o" },
      ...fields,
    }),
    idOf: ({ json }: Answer): string => json.webhook._id,
  },
  {
    path: "/api-keys",
    name: "apiKey",
    body: (fields: Json = {}) => ({ ...OWNER, environment: "production", ...fields }),
    idOf: ({ json }: Answer): string => json.apiKey._id,
  },
] as const;

/** The owner's objects, as its lists say. */
async function listed(path: string): Promise<string[]> {
  const query = "owner_type=payroll_company&owner_id=acme&environment=production&limit=100";
  const { json } = await asked(
    "GET",
    `${path}?${path === "/api-keys" ? query.replace(/&environment=\w+/, "") : query}`,
    undefined,
    {
      key: newKey(),
    },
  );
  return (json.connections ?? json.webhooks ?? json.apiKeys).map(({ id }: Json) =>
    String(id).replace(/^\w+_/, ""),
  );
}

type Change = [method: string, route: string, body?: Json];

/** What ends a secret. */
function endings(path: string): [what: string, changes: Change[]][] {
  const deleted: [string, Change[]] = ["is deleted", [["DELETE", ""]]];
  const off =
    path === "/api-keys" ? { is_active: false } : { status: path === "/webhooks" ? "disabled" : "inactive" };
  const on = path === "/api-keys" ? { is_active: true } : { status: "active" };
  const ended: [string, Change[]][] = [
    deleted,
    ["is off", [["PATCH", "", off]]],
    [
      "was off for a while",
      [
        ["PATCH", "", off],
        ["PATCH", "", on],
      ],
    ],
  ];
  if (path === "/api-keys") return ended;
  const rotated = (overlap_seconds: number): Change[] => [["POST", "/rotate-secret", { overlap_seconds }]];
  return [...ended, ["has a new secret", rotated(3_600)], ["has only a new secret", rotated(0)]];
}

describe.each(KINDS)("POST $path with an Idempotency-Key", ({ path, name, body, idOf }) => {
  const create = (fields: Json, asking: Asking) => asked("POST", path, JSON.stringify(body(fields)), asking);

  it("returns the same object with its secret when it is repeated, in any order of names", async () => {
    const key = newKey();
    const first = await create({}, { key });
    expect(first.status).toBe(201);
    expect(first.headers.has("Idempotent-Replayed")).toBe(false);
    const reordered = JSON.stringify(Object.fromEntries(Object.entries(body()).reverse()), null, 3);
    for (const text of [JSON.stringify(body()), reordered.replace('"production"', '"\\u0070roduction"')]) {
      const again = await asked("POST", path, text, { key });
      expect([again.status, again.json]).toEqual([201, first.json]);
      expect(again.headers.get("Idempotent-Replayed")).toBe("true");
      expect(again.headers.get("ETag")).toBe(first.headers.get("ETag"));
    }
    expect((await listed(path)).filter((id) => id === idOf(first))).toHaveLength(1);
  });

  it("is a 409 with another body, and keeps naming the first object", async () => {
    const key = newKey();
    const first = await create({}, { key });
    const other = path === "/webhooks" ? { headers: { "X-Key": "other" } } : { plan: "enterprise" };
    expect(await create(other, { key })).toMatchObject({
      status: 409,
      json: {
        error: "idempotency_key_reused",
        code: "CONFLICT",
        message: expect.stringContaining("new key"),
      },
    });
    expect((await create({}, { key })).json).toEqual(first.json);
  });

  it("creates one object for many concurrent requests, and returns it to all", async () => {
    const key = newKey();
    const before = (await listed(path)).length;
    const answers = await Promise.all(Array.from({ length: 6 }, () => create({}, { key })));
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(201));
    for (const { json } of answers) expect(json).toEqual(answers[0]?.json);
    expect((await listed(path)).length).toBe(before + 1);
    const id = idOf(answers[0] as Answer);
    const { json } = await asked(
      "GET",
      `/audit?subject=${name === "apiKey" ? "api_key" : name}:${id}`,
      undefined,
      {
        key,
      },
    );
    expect(json.audit).toHaveLength(1);
  });

  it("creates separate objects for another client, another owner and another kind", async () => {
    const key = newKey();
    const answers = [
      await create({}, { key }),
      await create({}, { key, client: "bound" }),
      await create({ owner_id: "initech" }, { key }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(idOf)).size).toBe(3);
    for (const other of KINDS.filter((kind) => kind.path !== path)) {
      const answer = await asked("POST", other.path, JSON.stringify(other.body()), { key });
      expect([answer.status, answer.headers.has("Idempotent-Replayed")]).toEqual([201, false]);
    }
  });

  it("creates no second object if D1's response was lost", async () => {
    const key = newKey();
    const before = (await listed(path)).length;
    let lost = 0;
    const using = intercepted(async (call, proceed) => {
      const result = await proceed();
      if (call === "DB.batch" && ++lost === 1) throw new Error("D1_ERROR: Network connection lost.");
      return result;
    });
    const cut = await create({}, { key, using });
    expect(cut).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    const again = await create({}, { key, using });
    expect(again.status).toBe(201);
    expect(again.json.secret).toMatch(/^(whsec_|audit1_live_sk_)/);
    expect((await listed(path)).length).toBe(before + 1);
  });

  it("names another object after 24 hours, when the cron has deleted the row", async () => {
    const key = newKey();
    const first = await create({}, { key });
    advance(24 * HOUR - 60_000);
    await runCron();
    expect((await create({}, { key })).json).toEqual(first.json);
    advance(60_000);
    const again = await create({ description: undefined }, { key });
    expect(again.status).toBe(201);
    expect(idOf(again)).not.toBe(idOf(first));
    advance(25 * HOUR);
    await runCron();
    expect(await dumpDatabase()).not.toMatch(/^creations\|/m);
  });

  it("returns the current object if it has changed since", async () => {
    const key = newKey();
    const first = await create({}, { key });
    const change = path === "/api-keys" ? { plan: "enterprise" } : { description: "B" };
    await asked("PATCH", `${path}/${idOf(first)}`, JSON.stringify(change), { key: newKey() });
    const again = await create({}, { key });
    expect(again.json[name]).toMatchObject(change);
    expect(again.json.secret).toBe(first.json.secret);
  });

  it.each(endings(path))("returns no secret once it %s", async (_what, changes) => {
    const key = newKey();
    const first = await create({}, { key });
    for (const [method, route, change] of changes)
      expect(
        (
          await asked(method, `${path}/${idOf(first)}${route}`, change && JSON.stringify(change), {
            key: newKey(),
          })
        ).status,
      ).toBe(200);
    const again = await create({}, { key });
    expect(again.status).toBe(201);
    expect(idOf(again)).toBe(idOf(first));
    expect(again.json).toMatchObject({ secret_unavailable: true });
    expect(again.json).not.toHaveProperty("secret");
  });

  it("stores neither the secret nor the key in the clear", async () => {
    const key = newKey();
    const { json } = await create({}, { key });
    const rests = await dumpDatabase();
    for (const secret of [json.secret, key]) expect(rests.includes(secret), secret).toBe(false);
  });

  it("accepts a key that was sent twice, and rejects a malformed key", async () => {
    const key = crypto.randomUUID();
    const first = await create({}, { key });
    expect((await create({}, { key: `${key}, ${key}` })).json).toEqual(first.json);
    for (const wrong of ["", "x".repeat(256), "é", "a\tb"])
      expect(await create({}, { key: wrong })).toMatchObject({
        status: 400,
        json: { error: "Invalid Idempotency-Key", code: "INVALID_IDEMPOTENCY_KEY" },
      });
  });
});

describe("a secret that was used", () => {
  it("is not returned again: a connection's", async () => {
    catchWakeUps();
    const [{ body }] = KINDS;
    const key = newKey();
    const employer = await createEmployer();
    const text = JSON.stringify(body({ employer_id: employer.id }));
    const { json } = await asked("POST", "/connections", text, { key });
    const connection = { id: json.connection.id, secret: json.secret };
    expect((await post(connection, "{}")).status).toBe(400);
    expect((await asked("POST", "/connections", text, { key })).json.secret).toBe(json.secret);
    expect((await post(connection)).status).toBe(202);
    const again = await asked("POST", "/connections", text, { key });
    expect([again.json.secret, again.json.secret_unavailable]).toEqual([undefined, true]);
  });

  it("is not returned again: an API key's", async () => {
    const [, , { body }] = KINDS;
    const key = newKey();
    const text = JSON.stringify(body());
    const { json } = await asked("POST", "/api-keys", text, { key });
    await send("/api/v1/files", { headers: { Authorization: `Bearer ${json.secret}` } });
    const again = await asked("POST", "/api-keys", text, { key });
    expect([again.json.secret, again.json.secret_unavailable]).toEqual([undefined, true]);
  });
});

describe("a webhook that the gateway disabled and that was enabled again", () => {
  const [, { path, body }] = KINDS;
  const owner = () => ({ ...OWNER, owner_id: `disabled-${++keys}` });
  const made = async (fields: Json, key: string) =>
    asked("POST", path, JSON.stringify(body(fields)), { key });
  const enabled = async (id: string) =>
    asked("PATCH", `${path}/${id}`, JSON.stringify({ status: "active" }), { key: newKey() });

  it("comes without its secret: with its owner's erasure", async () => {
    const [fields, key] = [owner(), newKey()];
    const { json } = await made(fields, key);
    const data = `/owners/${fields.owner_type}/${fields.owner_id}/data`;
    for (const query of ["", "?erase=false"])
      expect((await asked("DELETE", `${data}${query}`, undefined, { key: newKey() })).status).toBe(200);
    expect((await enabled(json.webhook.id)).json.webhook.status).toBe("active");
    const again = await made(fields, key);
    expect(again.json.webhook.id).toBe(json.webhook.id);
    expect([again.json.secret, again.json.secret_unavailable]).toEqual([undefined, true]);
  });

  it("comes without its secret: because it was gone", async () => {
    catchEndpointWakeUps();
    receiver(() => new Response(null, { status: 410 }));
    const [fields, key] = [owner(), newKey()];
    const { json } = await made(fields, key);
    const event = { ...fields, id: crypto.randomUUID(), type: "policy.created", data: {} };
    await asked("POST", "/events", JSON.stringify(event), { key: newKey() });
    await wake({ id: json.webhook._id });
    const read = await asked("GET", `${path}/${json.webhook.id}`, undefined, { key: newKey() });
    expect(read.json.webhook).toMatchObject({ status: "disabled", disabled_reason: "gone" });
    await enabled(json.webhook.id);
    const again = await made(fields, key);
    expect([again.json.secret, again.json.secret_unavailable]).toEqual([undefined, true]);
  });
});
