import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runCron } from "../../support/forwarding.ts";
import { bindings, createApiKey, type Json, portal, send } from "../../support/gateway.ts";
import {
  catchEndpointWakeUps,
  deliveriesOf,
  receiver,
  stored,
  type Woken,
  wake,
} from "../../support/outbound.ts";

let woken: Woken;
let owners = 0;

beforeEach(() => {
  woken = catchEndpointWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const freshOwner = () => ({ owner_type: "payroll_company", owner_id: `hooks-${++owners}` });

async function register(fields: Json = {}, owner: Json = freshOwner()) {
  const answer = await portal("POST", "/webhooks", {
    ...owner,
    environment: "production",
    url: "https://hooks.receiver-audit.com/in",
    events: ["policy.*"],
    ...fields,
  });
  if (answer.status !== 201) throw new Error(`webhook: ${answer.status} ${JSON.stringify(answer.json)}`);
  return { owner, id: answer.json.webhook._id as string, ...answer.json } as Json;
}

function policyEvent(owner: Json, fields: Json = {}) {
  return {
    ...owner,
    environment: "production",
    id: `evt_${crypto.randomUUID()}`,
    type: "policy.created",
    data: { policyId: "WC1" },
    ...fields,
  };
}

describe("registering a webhook", () => {
  it("is rejected beyond a thousand per owner and environment, also under concurrency", async () => {
    const { id, owner } = await register();
    const copies = (count: number) =>
      bindings.DB.prepare(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
         INSERT INTO webhooks (id, owner_type, owner_id, environment, url, events, status, signature_format, secrets, version, created_at, updated_at)
         SELECT lower(hex(randomblob(12))), owner_type, owner_id, environment, url, events, 'disabled', signature_format, secrets, 1, i, i
         FROM n, webhooks WHERE webhooks.id = ?1`,
      ).bind(id, count);
    await copies(996).run();
    const asked = {
      ...owner,
      environment: "production",
      url: "https://hooks.receiver-audit.com/in",
      events: ["*"],
    };
    const answers = await Promise.all(Array.from({ length: 6 }, () => portal("POST", "/webhooks", asked)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 409, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.json).toMatchObject({
      error: "too_many_webhooks",
      code: "CONFLICT",
    });
    const trail = await portal("GET", `/audit?action=webhook.created&${new URLSearchParams(owner)}`);
    expect(trail.json.audit).toHaveLength(4);
    expect((await portal("POST", "/webhooks", { ...asked, environment: "sandbox" })).status).toBe(201);
    await portal("DELETE", `/webhooks/${id}`);
    expect((await portal("POST", "/webhooks", asked)).status).toBe(201);
    expect((await portal("POST", "/webhooks", asked)).status).toBe(409);
  });

  it("returns it with its secret, once", async () => {
    const { owner, webhook, secret, success } = await register({ description: "Policies" });
    expect(success).toBe(true);
    expect(secret).toMatch(/^whsec_/);
    expect(webhook).toMatchObject({
      id: `wh_${webhook._id}`,
      url: "https://hooks.receiver-audit.com/in",
      events: ["policy.*"],
      description: "Policies",
      environment: "production",
      ...owner,
      status: "active",
      is_active: true,
      notification_email: null,
      signature_format: "timestamped",
    });
    const read = await portal("GET", `/webhooks/wh_${webhook._id}`);
    expect(read.json.webhook).toEqual(webhook);
    expect(JSON.stringify(read.json)).not.toContain(secret);
    expect(JSON.stringify(await stored({ id: webhook._id }))).not.toContain(secret.slice(6));
  });

  it.each([
    [{ url: "http://hooks.example.org/" }, "url"],
    [{ url: "https://10.0.0.1/" }, "url"],
    [{ url: "https://webhooks.audit1.com/" }, "url"],
    [{ events: ["policy.exploded"] }, "events[0]"],
    [{ events: [] }, "events"],
    [{ headers: { Host: "elsewhere" } }, "headers.Host"],
    [{ headers: JSON.parse('{"__proto__":"x"}') }, "headers.__proto__"],
    [{ headers: { "X-Tenant": 7 } }, "headers.X-Tenant"],
    [{ max_in_flight: 7 }, "max_in_flight"],
    [{ notification_email: "nobody" }, "notification_email"],
    [{ colour: "red" }, "colour"],
  ])("with %j is refused by what is wrong with it, and stores nothing", async (fields, path) => {
    const owner = freshOwner();
    const answer = await portal("POST", "/webhooks", {
      ...owner,
      environment: "production",
      url: "https://hooks.receiver-audit.com/in",
      events: ["*"],
      ...fields,
    });
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toContain(path);
    const list = await portal("GET", `/webhooks?${new URLSearchParams(owner)}`);
    expect(list.json.webhooks).toEqual([]);
  });

  it.each(["POST", "PATCH", "PUT"])(
    "at a host of our own zones is refused by %s, saying what to do",
    async (method) => {
      const { owner, id } = await register();
      const [path, more] =
        method === "POST"
          ? ["/webhooks", { ...owner, environment: "production", events: ["*"] }]
          : [`/webhooks/${id}`, {}];
      for (const host of ["audit1.com", "portal.audit1.info", "WEBHOOKS.audit1.com:8443"]) {
        const answer = await portal(method, path, { ...more, url: `https://${host}/hook/SECRET` });
        expect(answer).toMatchObject({
          status: 400,
          json: {
            details: {
              url: `${host}/…: the host belongs to Audit1. Use an endpoint of your own.`,
            },
          },
        });
      }
    },
  );

  it.each(["POST", "PATCH", "PUT"])("with a masked address is refused by %s", async (method) => {
    const { owner, id, webhook } = await register();
    const [path, more] =
      method === "POST"
        ? ["/webhooks", { ...owner, environment: "production", events: ["*"] }]
        : [`/webhooks/${id}`, {}];
    for (const url of [webhook.url_masked, `https://${webhook.url_masked}`]) {
      const answer = await portal(method, path, { ...more, url });
      expect(answer.status).toBe(400);
      expect(answer.json.details.url).toMatch(/masked.*Send the whole address/);
    }
  });

  it("may name a configured host of our own zones", async () => {
    const using = { ...bindings, OWN_ZONE_TARGETS: "hooks.audit1.com" };
    const asked = {
      ...freshOwner(),
      environment: "production",
      events: ["*"],
      url: "https://hooks.audit1.com/in",
    };
    expect((await portal("POST", "/webhooks", asked, "portal", using)).status).toBe(201);
    expect((await portal("POST", "/webhooks", asked)).status).toBe(400);
  });

  it("requires an owner, and defaults to production, as does the list", async () => {
    const body = { url: "https://hooks.receiver-audit.com/", events: ["*"] };
    expect((await portal("POST", "/webhooks", body)).json.error).toBe("owner_id_required");
    const owner = freshOwner();
    const made = await portal("POST", "/webhooks", { ...body, ...owner });
    expect(made).toMatchObject({ status: 201, json: { webhook: { environment: "production" } } });
    const sandbox = await portal("POST", "/webhooks", { ...body, ...owner, environment: "sandbox" });
    const listed = async (more: Json) =>
      (await portal("GET", `/webhooks?${new URLSearchParams({ ...owner, ...more })}`)).json.webhooks;
    expect(await listed({})).toMatchObject([{ id: made.json.webhook.id }]);
    expect(await listed({ environment: "sandbox" })).toMatchObject([{ id: sandbox.json.webhook.id }]);
  });
});

describe("a webhook", () => {
  it("is listed newest first, in pages", async () => {
    const owner = freshOwner();
    const ids = [];
    for (let i = 0; i < 3; i++) ids.unshift((await register({}, owner)).id);
    const query = new URLSearchParams(owner);
    const first = await portal("GET", `/webhooks?${query}&limit=2`);
    const second = await portal("GET", `/webhooks?${query}&limit=2&cursor=${first.json.next_cursor}`);
    const listed = [...first.json.webhooks, ...second.json.webhooks].map(({ _id }: Json) => _id);
    expect(listed.sort()).toEqual(ids.sort());
    expect(second.json.next_cursor).toBeNull();
  });

  it.each(["PATCH", "PUT"])(
    "is changed in part with %s, and begins anew at another address",
    async (method) => {
      const { id } = await register();
      await bindings.DB.prepare(
        "UPDATE webhooks SET consecutive_failures = 9, failing_since = 1 WHERE id = ?",
      )
        .bind(id)
        .run();
      const answer = await portal(method, `/webhooks/${id}`, { url: "https://new.receiver-audit.com/" });
      expect(answer).toMatchObject({
        status: 200,
        json: { success: true, webhook: { url: "https://new.receiver-audit.com/", events: ["policy.*"] } },
      });
      expect(await stored({ id })).toMatchObject({ consecutive_failures: 0, failing_since: null });
    },
  );

  it("keeps its custom headers sealed, sends them, and shows their names", async () => {
    const { id, owner } = await register({ headers: { "X-Tenant": "t-4711" } });
    const { calls } = receiver();
    expect((await portal("GET", `/webhooks/${id}`)).json.webhook.headers).toEqual(["X-Tenant"]);
    await portal("PATCH", `/webhooks/${id}`, { headers: { "X-Tenant": "t-4712" } });
    await portal("POST", "/events", policyEvent(owner));
    await wake({ id });
    expect(calls[0]?.headers.get("X-Tenant")).toBe("t-4712");
    expect(JSON.stringify(await stored({ id }))).not.toContain("t-471");
    const audit = await portal("GET", `/audit?subject=webhook:${id}`);
    expect(JSON.stringify(audit.json)).not.toContain("t-471");
    expect(audit.json.audit.map(({ action }: Json) => action)).toEqual([
      "webhook.updated",
      "webhook.created",
    ]);
  });

  it("that was changed meanwhile rejects a change with the old version", async () => {
    const { id } = await register();
    const read = await portal("GET", `/webhooks/${id}`);
    await portal("PATCH", `/webhooks/${id}`, { description: "first" });
    const headers = {
      "X-Client-ID": "portal",
      "X-Client-Secret": "portal-secret",
      "Content-Type": "application/json",
      "If-Match": read.headers.get("ETag") ?? "",
    };
    const init = { method: "PATCH", headers, body: JSON.stringify({ description: "second" }) };
    expect((await send(`/api/v1/webhooks/${id}`, init)).status).toBe(412);
  });

  it("that is disabled gets nothing, and its pending deliveries are closed", async () => {
    const { id, owner } = await register();
    const { calls } = receiver();
    await portal("POST", "/events", policyEvent(owner));
    woken.quick.length = 0;
    const answer = await portal("PATCH", `/webhooks/${id}`, { status: "disabled" });
    expect(answer.json.webhook).toMatchObject({ status: "disabled", disabled_reason: "requested" });
    expect(woken.new).toContain(id);
    await wake({ id });
    expect(calls).toEqual([]);
    await portal("POST", "/events", policyEvent(owner));
    const list = await portal("GET", `/webhooks/${id}/deliveries`);
    expect(list.json.deliveries).toMatchObject(
      Array(2).fill({ status: "skipped", lastError: "webhook_disabled" }),
    );
  });

  it("that was disabled shows what it skipped, and a replay of that range sends it", async () => {
    const { id, owner } = await register();
    const { calls } = receiver();
    expect((await portal("GET", `/webhooks/${id}`)).json.skipped).toEqual({
      count: 0,
      first_at: null,
      last_at: null,
    });
    await portal("PATCH", `/webhooks/${id}`, { status: "disabled" });
    for (let i = 0; i < 3; i++) await portal("POST", "/events", policyEvent(owner));
    const { skipped } = (await portal("GET", `/webhooks/${id}`)).json;
    expect(skipped.count).toBe(3);
    const listed = await portal("GET", `/webhooks/${id}/deliveries?status=skipped`);
    expect(listed.json.deliveries).toMatchObject(Array(3).fill({ status: "skipped", attempts: 0 }));
    const retried = await portal("POST", `/deliveries/${listed.json.deliveries[0].id}/retry`);
    expect(retried).toMatchObject({ status: 409, json: { error: "webhook_disabled" } });
    await portal("PATCH", `/webhooks/${id}`, { status: "active" });
    await wake({ id });
    expect(calls).toEqual([]);
    const range = { since: skipped.first_at, until: skipped.last_at, only: "failed" };
    expect((await portal("POST", `/webhooks/${id}/replay`, range)).status).toBe(202);
    await runCron(Date.now());
    await wake({ id });
    expect(calls).toHaveLength(3);
    expect((await portal("GET", `/webhooks/${id}`)).json.skipped.count).toBe(0);
    const delivered = await portal("GET", `/webhooks/${id}/deliveries`);
    expect(delivered.json.deliveries).toMatchObject(Array(3).fill({ status: "delivered", lastError: null }));
  });

  it("that is paused holds deliveries: tests work, retries and replays wait until it is active", async () => {
    const { id, owner } = await register();
    const { calls } = receiver();
    await portal("POST", "/events", policyEvent(owner));
    const paused = await portal("PATCH", `/webhooks/${id}`, { status: "paused" });
    expect(paused.json.webhook).toMatchObject({ status: "paused", is_active: false, disabled_reason: null });
    await portal("POST", "/events", policyEvent(owner));
    await wake({ id });
    expect(calls).toEqual([]);
    expect((await portal("POST", `/webhooks/${id}/test`)).json.success).toBe(true);
    const list = await portal("GET", `/webhooks/${id}/deliveries?status=pending`);
    expect(list.json.deliveries).toMatchObject(Array(2).fill({ status: "pending", attempts: 0 }));
    expect((await portal("POST", `/deliveries/${list.json.deliveries[0].id}/retry`)).status).toBe(202);
    const since = new Date(Date.now() - 60_000).toISOString();
    expect((await portal("POST", `/webhooks/${id}/replay`, { since })).status).toBe(202);
    await runCron(Date.now());
    await wake({ id });
    expect(calls).toHaveLength(1);
    expect(
      (await portal("GET", `/webhooks?${new URLSearchParams({ ...owner, status: "paused" })}`)).json.webhooks,
    ).toHaveLength(1);
    for (const lane of Object.values(woken)) lane.length = 0;
    await portal("PATCH", `/webhooks/${id}`, { status: "active" });
    await vi.waitFor(() => expect(woken.quick).toEqual([id]));
    await wake({ id });
    expect(calls).toHaveLength(3);
    expect((await portal("GET", `/webhooks/${id}/deliveries?status=delivered`)).json.deliveries).toHaveLength(
      3,
    );
  });

  it("that was paused is no nearer to being disabled", async () => {
    const { id } = await register();
    vi.useFakeTimers({ toFake: ["Date"] });
    const failingSince = Date.now() - 4 * 86_400_000;
    await bindings.DB.prepare("UPDATE webhooks SET consecutive_failures = 9, failing_since = ? WHERE id = ?")
      .bind(failingSince, id)
      .run();
    await portal("PATCH", `/webhooks/${id}`, { status: "paused" });
    vi.setSystemTime(Date.now() + 3 * 86_400_000);
    await portal("PATCH", `/webhooks/${id}`, { description: "still paused" });
    vi.setSystemTime(Date.now() + 3 * 86_400_000);
    await portal("PATCH", `/webhooks/${id}`, { status: "active" });
    expect(await stored({ id })).toMatchObject({
      consecutive_failures: 9,
      failing_since: failingSince + 6 * 86_400_000,
      paused_at: null,
    });
  });

  it("has the pace that is set, and none after null", async () => {
    const { id, webhook } = await register({ max_per_minute: 30 });
    expect(webhook.max_per_minute).toBe(30);
    await bindings.DB.prepare("UPDATE webhooks SET paced_until = 9e15 WHERE id = ?").bind(id).run();
    const changed = await portal("PATCH", `/webhooks/${id}`, { max_per_minute: null });
    expect(changed.json.webhook.max_per_minute).toBeNull();
    expect(await stored({ id })).toMatchObject({ paced_until: 0 });
    for (const max_per_minute of [0, -1, 1.5, "3"])
      expect((await portal("PATCH", `/webhooks/${id}`, { max_per_minute })).status).toBe(400);
  });

  it("that is deleted is gone, and deleting it again is fine", async () => {
    const { id } = await register();
    for (let i = 0; i < 2; i++)
      expect(await portal("DELETE", `/webhooks/${id}`)).toMatchObject({
        status: 200,
        json: { message: "webhook_deleted" },
      });
    expect(await portal("GET", `/webhooks/${id}`)).toMatchObject({
      status: 404,
      json: { error: "webhook_not_found" },
    });
  });
});

describe("an address", () => {
  const url = "https://hooks.receiver-audit.com/services/T0/SECRET?sig=SECRET";
  const masked = "hooks.receiver-audit.com/services…";

  it("is shown in full with its webhook, and masked in lists", async () => {
    const { owner, id, webhook } = await register({ url });
    expect(webhook).toMatchObject({ url, url_masked: masked });
    for (const [method, path, body] of [
      ["GET", `/webhooks/${id}`],
      ["PATCH", `/webhooks/${id}`, { description: "a" }],
      ["PUT", `/webhooks/${id}`, { description: "b" }],
    ] as const)
      expect((await portal(method, path, body)).json.webhook).toMatchObject({ url, url_masked: masked });
    const list = await portal(
      "GET",
      `/webhooks?${new URLSearchParams({ ...owner, environment: "production" })}`,
    );
    expect(list.json.webhooks).toMatchObject([{ id: `wh_${id}`, url_masked: masked }]);
    expect(list.json.webhooks[0]).not.toHaveProperty("url");
    expect(JSON.stringify(list.json)).not.toContain("SECRET");
  });

  it("that is changed takes effect at once, and adds an audit row, even if both have the same mask", async () => {
    const { id } = await register({ url });
    const { calls } = receiver();
    const changed = await portal("PATCH", `/webhooks/${id}`, { url: `${url}2` });
    expect(changed.json.webhook).toMatchObject({ url: `${url}2`, url_masked: masked });
    await portal("POST", `/webhooks/${id}/test`);
    expect(calls.map((call) => call.url)).toEqual([`${url}2`]);
    const { json } = await portal("GET", `/audit?subject=webhook:${id}&action=webhook.updated`);
    expect(json.audit).toHaveLength(1);
    const [{ before, after }] = json.audit;
    expect(before).toEqual({ url_fingerprint: expect.stringMatching(/^[A-Za-z0-9+/]{22}==$/) });
    expect(after).toEqual({ url_fingerprint: expect.stringMatching(/^[A-Za-z0-9+/]{22}==$/) });
    expect(after).not.toEqual(before);
  });

  it("that is sent again changes nothing", async () => {
    const { id, webhook } = await register({ url });
    const answer = await portal("PUT", `/webhooks/${id}`, { url });
    expect(answer.json.webhook).toEqual(webhook);
    const { json } = await portal("GET", `/audit?subject=webhook:${id}&action=webhook.updated`);
    expect(json.audit).toEqual([]);
  });

  it("cannot be unsealed in the row of another webhook", async () => {
    const owner = freshOwner();
    const [a, b] = [await register({ url }, owner), await register({}, owner)];
    await bindings.DB.prepare(
      "UPDATE webhooks SET target = (SELECT target FROM webhooks WHERE id = ?1) WHERE id = ?2",
    )
      .bind(a.id, b.id)
      .run();
    const { calls } = receiver();
    await portal("POST", "/events", policyEvent(owner));
    await wake({ id: b.id });
    expect(calls).toEqual([]);
    expect((await portal("GET", `/webhooks/${b.id}`)).json.webhook).toMatchObject({ url: null });
    const repaired = await portal("PATCH", `/webhooks/${b.id}`, { url: "https://b.receiver-audit.com/in" });
    expect(repaired.json.webhook.url).toBe("https://b.receiver-audit.com/in");
  });
});

describe("a test", () => {
  it("is sent at once and returns the outcome", async () => {
    const { id } = await register();
    const { calls } = receiver(() => new Response("pong", { status: 201 }));
    const answer = await portal("POST", `/webhooks/${id}/test`, {});
    expect(answer).toMatchObject({
      status: 200,
      json: { success: true, outcome: "delivered", status: 201, answer: "pong" },
    });
    expect(calls[0]?.body).toMatchObject({ type: "webhook.test", id: answer.json.event_id });
    expect(calls[0]?.headers.get("webhook-signature")).toMatch(/^v1,/);
    expect(calls[0]?.text).toBe(JSON.stringify(calls[0]?.body));
    const delivery = await portal("GET", `/deliveries/${answer.json.delivery_id}`);
    expect(delivery.json.delivery).toMatchObject({
      eventType: "webhook.test",
      status: "delivered",
      history: [{ number: 1, responseCode: 201, answer: "pong" }],
      fileId: null,
      retriesLeft: 0,
    });
  });

  it("shows the headers that were sent, without signatures and custom headers", async () => {
    const { id } = await register({ headers: { "X-Token": "tok_secret" } });
    const { calls } = receiver();
    const { json } = await portal("POST", `/webhooks/${id}/test`);
    const { delivery } = (await portal("GET", `/deliveries/${json.delivery_id}`)).json;
    const shown: Record<string, string> = delivery.history[0].requestHeaders;
    expect(Object.keys(shown).sort()).toEqual([
      "content-type",
      "user-agent",
      "webhook-id",
      "webhook-timestamp",
      "x-webhook-timestamp",
    ]);
    for (const [name, value] of Object.entries(shown)) expect(calls[0]?.headers.get(name)).toBe(value);
  });

  it("keeps only the response headers that explain its status", async () => {
    const { id, owner } = await register();
    const long = "x".repeat(1_000);
    const secret = "/login?token=tok_secret";
    receiver(
      () =>
        new Response("moved", {
          status: 302,
          headers: {
            Location: secret,
            "Retry-After": "120",
            Server: long,
            "WWW-Authenticate": 'Basic realm="x"',
            "CF-Mitigated": "challenge",
            "Set-Cookie": "session=1",
            "X-Other": "1",
          },
        }),
    );
    const headers = {
      location: secret,
      "retry-after": "120",
      "content-type": "text/plain;charset=UTF-8",
      server: `${"x".repeat(256)}…`,
      "www-authenticate": 'Basic realm="x"',
      "cf-mitigated": "challenge",
    };
    const tested = await portal("POST", `/webhooks/${id}/test`);
    expect(tested.json).toMatchObject({ outcome: "redirect", status: 302, headers, tls_cause: null });
    await portal("POST", "/events", policyEvent(owner));
    await wake({ id });
    const listed = await portal("GET", `/webhooks/${id}/deliveries`);
    expect(JSON.stringify(listed.json)).not.toContain("tok_secret");
    for (const { id: delivery } of listed.json.deliveries) {
      const { history } = (await portal("GET", `/deliveries/${delivery}`)).json.delivery;
      expect(history[0].headers).toEqual(headers);
      expect(history[0]).toMatchObject({ answer: "moved", tlsCause: null });
    }
    // They may hold secrets: they rest sealed.
    expect(JSON.stringify(await deliveriesOf({ id }))).not.toContain("tok_secret");
  });

  it.each([
    [525, "error code: 525", "handshake"],
    [526, "error code: 526", "untrusted"],
    [526, "certificate has expired", "expired"],
  ])("tells why TLS failed where the platform says: %i %s", async (status, text, cause) => {
    const { id } = await register();
    receiver(() => new Response(text, { status }));
    const { json } = await portal("POST", `/webhooks/${id}/test`);
    expect(json).toMatchObject({ outcome: "tls", status, tls_cause: cause });
    const { delivery } = (await portal("GET", `/deliveries/${json.delivery_id}`)).json;
    expect(delivery.history).toMatchObject([{ outcome: "tls", tlsCause: cause }]);
  });

  it("contains characters that expose receivers that do not sign the bytes", async () => {
    const { id } = await register();
    const { calls } = receiver();
    await portal("POST", `/webhooks/${id}/test`);
    const { text = "", body } = calls[0] ?? {};
    const data = text.slice(text.indexOf('"data":'), text.indexOf('"metadata":'));
    expect(body?.data.message).toBe("This is a test of your webhook.");
    expect(data).toMatch(/[À-ž]/);
    expect(data).toMatch(/\p{Emoji_Presentation}/u);
    for (const escaped of ['\\"', "\\\\", "\\n", "\\u0007"]) expect(data).toContain(escaped);
    expect(data).toMatch(/:\d+\.\d+[,}]/);
    expect(data).toContain("/");
  });

  it.each([
    [() => new Response("ok"), true],
    [() => new Response("no", { status: 500 }), true],
    [() => Promise.reject(new Error("Network connection lost.")), false],
  ])("that is answered in time ends the lane for new endpoints: %#", async (respond, proven) => {
    const { id } = await register();
    expect(await stored({ id })).toMatchObject({ proven_at: null });
    receiver(respond);
    await portal("POST", `/webhooks/${id}/test`);
    expect((await stored({ id })).proven_at !== null).toBe(proven);
  });

  it("that fails says why, and is not retried", async () => {
    const { id } = await register();
    receiver(() => new Response("no", { status: 500 }));
    const answer = await portal("POST", `/webhooks/${id}/test`);
    expect(answer.json).toMatchObject({ success: false, outcome: "status", status: 500, answer: "no" });
    expect((await deliveriesOf({ id }))[0]).toMatchObject({ status: "failed", next_attempt_at: null });
    expect(await stored({ id })).toMatchObject({ consecutive_failures: 0 });
  });
});

describe("rotating the secret", () => {
  const signaturesOf = async (id: string) => {
    const { calls } = receiver();
    await portal("POST", `/webhooks/${id}/test`);
    vi.mocked(globalThis.fetch).mockRestore();
    const headers = calls[0]?.headers;
    return {
      audit1: headers?.get("Audit1-Signature")?.split(",").slice(1).length,
      next: headers?.get("X-Webhook-Signature-Next") ?? null,
    };
  };

  it("signs with both, the old one first until the new one is activated", async () => {
    const { id, secret } = await register();
    const answer = await portal("POST", `/webhooks/${id}/rotate-secret`, { overlap_seconds: 3_600 });
    expect(answer.json.secret).toMatch(/^whsec_/);
    expect(answer.json.secret).not.toBe(secret);
    expect(answer.json.webhook.secrets.map(({ leading }: Json) => leading)).toEqual([true, false]);
    expect(await signaturesOf(id)).toMatchObject({
      audit1: 2,
      next: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const activated = await portal("POST", `/webhooks/${id}/activate-secret`);
    expect(activated.json.webhook.secrets.find(({ leading }: Json) => leading)?.expires_at).toBeNull();
    expect(await signaturesOf(id)).toEqual({ audit1: 2, next: null });
  });

  it("without an overlap ends the old one at once", async () => {
    const { id } = await register();
    const answer = await portal("POST", `/webhooks/${id}/rotate-secret`, { overlap_seconds: 0 });
    expect(answer.json.webhook.secrets).toHaveLength(1);
    expect(await signaturesOf(id)).toEqual({ audit1: 1, next: null });
  });
});

describe("deliveries", () => {
  it("carry the data unchanged, whatever its names are", async () => {
    const { id, owner } = await register();
    const { calls } = receiver();
    const data = '{"__proto__":{"a":1},"constructor":2,"toString":null}';
    await portal("POST", "/events", policyEvent(owner, { data: JSON.parse(data) }));
    await wake({ id });
    expect(calls[0]?.text).toContain(`"data":${data}`);
  });

  it("are listed newest first, by status, and sent again one by one", async () => {
    const { id, owner } = await register();
    const { calls } = receiver((call) => new Response(null, { status: call.body.data.ok ? 200 : 410 }));
    await portal("POST", "/events", policyEvent(owner, { data: { ok: true } }));
    await wake({ id });
    await portal("POST", "/events", policyEvent(owner, { data: { ok: false } }));
    await wake({ id });
    const list = await portal("GET", `/webhooks/${id}/deliveries?limit=1`);
    expect(list.json.deliveries).toMatchObject([
      {
        eventType: "policy.created",
        status: "failed",
        responseCode: 410,
        attempts: 1,
        lastError: "HTTP 410",
      },
    ]);
    const rest = await portal("GET", `/webhooks/${id}/deliveries?limit=1&cursor=${list.json.next_cursor}`);
    expect(rest.json.deliveries).toMatchObject([{ status: "delivered", lastError: null }]);
    const failed = await portal("GET", `/webhooks/${id}/deliveries?status=failed`);
    expect(failed.json.deliveries).toHaveLength(1);
    const path = `/deliveries/${failed.json.deliveries[0].id}`;
    expect((await portal("POST", `${path}/retry`)).json.error).toBe("webhook_disabled");
    await portal("PATCH", `/webhooks/${id}`, { status: "active" });
    expect((await portal("POST", `${path}/retry`)).status).toBe(202);
    await wake({ id });
    expect(calls).toHaveLength(3);
    expect((await portal("GET", path)).json.delivery).toMatchObject({ attempts: 2 });
  });

  it("are listed without reading their attempts", async () => {
    const { id, owner } = await register();
    await portal("POST", "/events", policyEvent(owner));
    await bindings.DB.prepare("UPDATE deliveries SET history = 'unread' WHERE webhook_id = ?").bind(id).run();
    for (const filter of ["", "?status=pending"]) {
      const list = await portal("GET", `/webhooks/${id}/deliveries${filter}`);
      expect(list).toMatchObject({ status: 200, json: { deliveries: [{ status: "pending" }] } });
    }
  });

  it("of unsubscribed types are sent again neither singly nor by a replay, except tests", async () => {
    const { id, owner } = await register();
    const { calls } = receiver(
      (call) => new Response(null, { status: call.body.type === "policy.created" ? 410 : 200 }),
    );
    const since = new Date(Date.now() - 1_000).toISOString();
    await portal("POST", "/events", policyEvent(owner));
    await wake({ id });
    await portal("PATCH", `/webhooks/${id}`, { status: "active", events: ["payment.*"] });
    const [failed] = (await portal("GET", `/webhooks/${id}/deliveries`)).json.deliveries;
    const retry = await portal("POST", `/deliveries/${failed.id}/retry`);
    expect(retry).toMatchObject({ status: 409, json: { error: "not_subscribed" } });
    await portal("POST", `/webhooks/${id}/replay`, { since });
    await runCron();
    await wake({ id });
    expect(calls).toHaveLength(1);
    const test = await portal("POST", `/webhooks/${id}/test`);
    expect((await portal("POST", `/deliveries/${test.json.delivery_id}/retry`)).status).toBe(202);
    await wake({ id });
    expect(calls).toHaveLength(3);
    await portal("PATCH", `/webhooks/${id}`, { events: ["policy.*"] });
    expect((await portal("POST", `/deliveries/${failed.id}/retry`)).status).toBe(202);
  });

  it.each(["del_", "del_nonsense", `del_${"0".repeat(24)}00000000000`])("%s does not exist", async (id) => {
    expect((await portal("GET", `/deliveries/${id}`)).status).toBe(404);
  });

  it("of a time range are replayed in the background if they were missed or failed", async () => {
    const { id, owner } = await register();
    const { calls } = receiver();
    const since = new Date(Date.now() - 1_000).toISOString();
    await portal("POST", "/events", policyEvent(owner));
    await wake({ id });
    await portal("PATCH", `/webhooks/${id}`, { status: "disabled" });
    await portal("POST", "/events", policyEvent(owner));
    await portal("POST", "/events", policyEvent(owner, { type: "payment.failed" }));
    await portal("PATCH", `/webhooks/${id}`, { status: "active" });
    const started = await portal("POST", `/webhooks/${id}/replay`, { since });
    expect(started).toMatchObject({ status: 202, json: { replay: { status: "running", queued: 0 } } });
    await runCron();
    await runCron();
    const progress = await portal("GET", `/webhooks/${id}/replays/${started.json.replay.id}`);
    expect(progress.json.replay).toMatchObject({ status: "done", queued: 1, progress: 1 });
    await wake({ id });
    expect(calls).toHaveLength(2);
  });

  describe("a replay", () => {
    const since = new Date(Date.now() - 60_000).toISOString();
    const begin = (id: string) => portal("POST", `/webhooks/${id}/replay`, { since });
    const statusOf = async (id: string, replay: Json) =>
      (await portal("GET", `/webhooks/${id}/replays/${replay.id}`)).json.replay.status;

    it("is the only one of its webhook while it runs", async () => {
      const { id } = await register();
      const answers = await Promise.all([begin(id), begin(id), begin(id)]);
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409]);
      const { replay } = answers.find(({ status }) => status === 202)?.json ?? {};
      expect(answers.find(({ status }) => status === 409)).toMatchObject({
        json: { error: "replay_running", code: "CONFLICT", details: { replay_id: replay.id } },
      });
      const { id: other } = await register();
      expect((await begin(other)).status).toBe(202);
      await runCron();
      expect(await statusOf(id, replay)).toBe("done");
      expect((await begin(id)).status).toBe(202);
    });

    it("is ended by a DELETE, which may be repeated, and then goes no further", async () => {
      const { id, owner } = await register();
      await portal("PATCH", `/webhooks/${id}`, { status: "disabled" });
      await portal("POST", "/events", policyEvent(owner));
      await portal("PATCH", `/webhooks/${id}`, { status: "active" });
      const { replay } = (await begin(id)).json;
      for (let i = 0; i < 2; i++) {
        expect(await portal("DELETE", `/webhooks/${id}/replays/${replay.id.toUpperCase()}`)).toMatchObject({
          status: 200,
          json: { message: "replay_ended", replay: { id: replay.id, status: "ended", queued: 0 } },
        });
      }
      await runCron();
      expect(await statusOf(id, replay)).toBe("ended");
      expect(await deliveriesOf({ id })).toMatchObject([{ status: "skipped" }]);
      expect((await begin(id)).status).toBe(202);
      const { id: other } = await register();
      for (const path of [`${other}/replays/${replay.id}`, `${id}/replays/${"0".repeat(24)}`])
        expect(await portal("DELETE", `/webhooks/${path}`)).toMatchObject({
          status: 404,
          json: { error: "replay_not_found" },
        });
    });

    it("that is done stays done", async () => {
      const { id } = await register();
      const { replay } = (await begin(id)).json;
      await runCron();
      const { json } = await portal("DELETE", `/webhooks/${id}/replays/${replay.id}`);
      expect(json.replay.status).toBe("done");
    });

    it("is refused for a webhook that is disabled", async () => {
      const { id } = await register();
      await portal("PATCH", `/webhooks/${id}`, { status: "disabled" });
      expect(await begin(id)).toMatchObject({ status: 409, json: { error: "webhook_disabled" } });
    });

    it.each([
      ["disabled", (id: string) => portal("PATCH", `/webhooks/${id}`, { status: "disabled" })],
      ["deleted", (id: string) => portal("DELETE", `/webhooks/${id}`)],
    ])("ends at once where its webhook is %s", async (_how, turnOff) => {
      const { id } = await register();
      const { replay } = (await begin(id)).json;
      expect((await turnOff(id)).status).toBe(200);
      expect(await statusOf(id, replay)).toBe("ended");
    });

    it("ends if its webhook is disabled by its own answer, and waits while it is paused", async () => {
      const { id, owner } = await register();
      const { replay } = (await begin(id)).json;
      await portal("PATCH", `/webhooks/${id}`, { status: "paused" });
      await runCron();
      expect(await statusOf(id, replay)).toBe("running");
      await portal("PATCH", `/webhooks/${id}`, { status: "active" });
      receiver(() => new Response(null, { status: 410 }));
      await portal("POST", "/events", policyEvent(owner));
      await wake({ id });
      expect(await stored({ id })).toMatchObject({ status: "disabled", disabled_reason: "gone" });
      expect(await statusOf(id, replay)).toBe("ended");
    });

    it("ends if its owner is to be erased", async () => {
      const { id, owner } = await register();
      const { replay } = (await begin(id)).json;
      await portal("DELETE", `/owners/${owner.owner_type}/${owner.owner_id}/data`);
      expect(await statusOf(id, replay)).toBe("ended");
    });
  });

  it("are all replayed on request", async () => {
    const { id, owner } = await register();
    const { calls } = receiver();
    await portal("POST", "/events", policyEvent(owner));
    await wake({ id });
    const since = new Date(Date.now() - 60_000).toISOString();
    await portal("POST", `/webhooks/${id}/replay`, { since, only: "all" });
    await Promise.all([runCron(), runCron()]);
    await wake({ id });
    expect(calls).toHaveLength(2);
    expect((await deliveriesOf({ id }))[0]).toMatchObject({
      status: "delivered",
      attempts: 2,
      round_start: 1,
    });
  });

  it("cannot be replayed over an empty range", async () => {
    const { id } = await register();
    const since = new Date(Date.now() + 60_000).toISOString();
    expect((await portal("POST", `/webhooks/${id}/replay`, { since })).status).toBe(400);
  });
});

describe("another owner's client", () => {
  it("finds no webhook, no delivery and no replay", async () => {
    const { id } = await register();
    receiver();
    const { json } = await portal("POST", `/webhooks/${id}/test`);
    const since = new Date(Date.now() - 1_000).toISOString();
    const started = await portal("POST", `/webhooks/${id}/replay`, { since });
    for (const [method, path, body] of [
      ["GET", `/webhooks/${id}`],
      ["PATCH", `/webhooks/${id}`, { status: "disabled" }],
      ["DELETE", `/webhooks/${id}`],
      ["POST", `/webhooks/${id}/test`],
      ["POST", `/webhooks/${id}/rotate-secret`, {}],
      ["POST", `/webhooks/${id}/activate-secret`],
      ["GET", `/webhooks/${id}/deliveries`],
      ["POST", `/webhooks/${id}/replay`, { since }],
      ["GET", `/webhooks/${id}/replays/${started.json.replay.id}`],
      ["GET", `/deliveries/${json.delivery_id}`],
      ["POST", `/deliveries/${json.delivery_id}/retry`],
    ] as const) {
      const answer = await portal(method, path, body, "bound");
      expect([method, path, answer.status]).toEqual([method, path, 404]);
    }
    expect(await stored({ id })).toMatchObject({ status: "active", deleted_at: null });
  });
});

describe("events", () => {
  it("count once, and are listed for their owner and nobody else", async () => {
    const owner = freshOwner();
    const event = policyEvent(owner);
    expect((await portal("POST", "/events", event)).json).toMatchObject({ duplicate: false });
    expect((await portal("POST", "/events", event)).json).toMatchObject({ duplicate: true });
    const other = await portal("POST", "/events", { ...event, data: { policyId: "other" } });
    expect(other).toMatchObject({ status: 409, json: { error: "event_id_reused" } });
    const list = (of: Json) => portal("GET", `/events?environment=production&${new URLSearchParams(of)}`);
    expect((await list(owner)).json.events).toMatchObject([
      { id: event.id, type: "policy.created", data: { policyId: "WC1" }, metadata: { source: "audit1" } },
    ]);
    expect((await list(freshOwner())).json.events).toEqual([]);
    const key = await createApiKey(owner);
    const read = (query: string) =>
      send(`/api/v1/events${query}`, { headers: { Authorization: `Bearer ${key.token}` } });
    expect((await read("")).json.events).toHaveLength(1);
    expect((await read(`?since=${new Date(Date.now() + 60_000).toISOString()}`)).json.events).toEqual([]);
    expect((await read("?cursor=nonsense")).status).toBe(400);
    const sandboxKey = await createApiKey({ ...owner, environment: "sandbox" });
    const sandbox = await send("/api/v1/events", {
      headers: { Authorization: `Bearer ${sandboxKey.token}` },
    });
    expect(sandbox.json.events).toEqual([]);
  });

  it("of a batch that is too long are rejected by its length", async () => {
    const answer = await portal("POST", "/events", { events: Array.from({ length: 101 }, () => ({})) });
    expect(answer).toMatchObject({
      status: 400,
      json: { details: { events: "Must have at most 100 entries; it has 101" } },
    });
    expect(Object.keys(answer.json.details)).toEqual(["events"]);
  });

  it("may have as many values as fit into the data of one", async () => {
    const owner = freshOwner();
    const data = { a: Array.from({ length: 131_000 }, () => 1) };
    expect((await portal("POST", "/events", policyEvent(owner, { data }))).status).toBe(202);
  });

  it("of a batch each get a result", async () => {
    const owner = freshOwner();
    const [first, second] = [policyEvent(owner), policyEvent(owner)];
    await portal("POST", "/events", first);
    const answer = await portal("POST", "/events", {
      events: [first, second, { ...second, data: { policyId: "x" } }],
    });
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({
      success: false,
      results: [
        { id: first.id, duplicate: true },
        { id: second.id, duplicate: false },
        { id: second.id, success: false, status: 409, error: "event_id_reused" },
      ],
    });
  });

  it.each([
    [{ type: "policy.exploded" }, "type"],
    [{ type: "webhook.test" }, "type"],
    [{ data: { text: "x".repeat(256 * 1024) } }, "data"],
    [{ id: "with space" }, "id"],
  ])("with %.60j are refused, and a batch with them stores nothing", async (fields, path) => {
    const owner = freshOwner();
    const answer = await portal("POST", "/events", policyEvent(owner, fields));
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toContain(path);
    const batch = await portal("POST", "/events", {
      events: [policyEvent(owner), policyEvent(owner, fields)],
    });
    expect(Object.keys(batch.json.details)).toContain(`events[1].${path}`);
    const list = await portal("GET", `/events?environment=production&${new URLSearchParams(owner)}`);
    expect(list.json.events).toEqual([]);
  });
});
