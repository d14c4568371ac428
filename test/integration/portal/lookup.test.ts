/** `GET /lookup/{id}`: any id leads to what it names, and to nobody else. */
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { mintRequestId, parseRequestId } from "../../../src/http/request-id.ts";
import { PAYROLL, payroll, submit } from "../../support/developer.ts";
import { accepted, catchWakeUps, deliverFiles, resetCircuitBreaker } from "../../support/forwarding.ts";
import {
  type Answer,
  BASE,
  bindings,
  createApiKey,
  createBoundConnection,
  createEmployer,
  gateOf,
  type Json,
  portal,
  post,
  report,
  send,
} from "../../support/gateway.ts";
import { withQueryLog } from "../../support/query-plans.ts";

const ACME = { owner_type: "payroll_company", owner_id: "acme" };
const OTHER = { owner_type: "payroll_company", owner_id: "other" };

const lookUp = (id: string, query: Json = {}, client = "portal", using?: Bindings): Promise<Answer> =>
  portal("GET", `/lookup/${encodeURIComponent(id)}?${new URLSearchParams(query)}`, undefined, client, using);
const requestIdOf = ({ headers }: Answer) => headers.get("X-Audit1-Request-Id") ?? "";

/** Bindings that record which gates are asked. */
function watchingGates(): { using: Bindings; asked: string[] } {
  const asked: string[] = [];
  const gates = new Proxy(bindings.CONNECTION_GATE, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== "getByName" || typeof value !== "function") return value;
      return (gate: string) => {
        asked.push(gate);
        return Reflect.apply(value, target, [gate]);
      };
    },
  });
  return { using: { ...bindings, CONNECTION_GATE: gates }, asked };
}

beforeEach(async () => {
  catchWakeUps();
  await resetCircuitBreaker();
  return () => vi.restoreAllMocks();
});

/** One owner's objects of every kind, with their ids as responses show them. */
async function objectsOf(owner: typeof ACME) {
  const employer = await createEmployer([owner]);
  const connection = await createBoundConnection({ ...owner, employer_id: employer.id });
  const key = await createApiKey(owner);
  const asked = { ...owner, environment: "production", url: "https://hooks.acme-audit.com/x", events: ["*"] };
  const webhook: string = (await portal("POST", "/webhooks", asked)).json.webhook.id;
  const sent = await post(connection, report(), { headers: { "X-Request-Id": "run-7" } });
  const file: string = sent.json.file_id;
  await deliverFiles([file]);
  const done = { id: `evt_${newObjectId()}`, type: "file.processed", data: { fileId: file } };
  await portal("POST", "/events", done);
  const chosen = { ...owner, id: newObjectId().slice(1), type: "policy.created", data: {} };
  await portal("POST", "/events", chosen);
  const { json } = await portal("GET", `/webhooks/${webhook}/deliveries`);
  const delivery: string = json.deliveries.find((each: Json) => each.eventId === done.id).id;
  const byKey = await submit(key, PAYROLL, payroll({ employerId: employer.id }));
  const changed = await portal("PATCH", `/connections/${connection.id}`, { description: "x" });
  return {
    employer: employer.id,
    connection: connection.id,
    key: `ak_${key.id}`,
    webhook,
    file,
    event: done.id,
    chosenEvent: chosen.id,
    uploaded: `evt_uploaded_${file}_1`,
    delivery,
    request: requestIdOf(sent),
    byKey,
    keyRequest: requestIdOf(byKey),
    change: requestIdOf(changed),
  };
}

let acme: Awaited<ReturnType<typeof objectsOf>>;
let other: Awaited<ReturnType<typeof objectsOf>>;

beforeAll(async () => {
  catchWakeUps();
  await resetCircuitBreaker();
  acme = await objectsOf(ACME);
  other = await objectsOf(OTHER);
});

/** The related objects by kind, in their order. */
function relatedOf({ json }: Answer): Record<string, string[]> {
  const byKind = Map.groupBy(json.related as Json[], ({ kind }) => String(kind));
  return Object.fromEntries([...byKind].map(([kind, links]) => [kind, links.map(({ id }) => id)]));
}

describe("the id of a request", () => {
  it("that brought a report by a connection leads to its outcome, file and connection", async () => {
    const found = await lookUp(acme.request);
    expect(found.status).toBe(200);
    expect(found.json).toMatchObject({
      kind: "request",
      id: acme.request,
      href: `/api/v1/lookup/${acme.request}`,
      summary: {
        request_id: acme.request,
        caller_request_id: "run-7",
        at: new Date(parseRequestId(acme.request)?.at ?? 0).toISOString(),
        outcome: "accepted",
        status: 202,
        code: null,
        diagnosis: [],
        content_type: "application/json",
        file_id: acme.file,
        file_status: "completed",
      },
    });
    expect(relatedOf(found)).toEqual({
      connection: [acme.connection],
      file: [acme.file],
      employer: [acme.employer],
    });
  });

  it("that brought a report with a key leads to the key", async () => {
    expect(acme.byKey.status).toBe(202);
    const found = await lookUp(acme.keyRequest);
    expect(found.json).toMatchObject({
      kind: "request",
      summary: { outcome: "accepted", file_id: acme.byKey.json.file_id, file_status: "queued" },
    });
    expect(relatedOf(found)).toMatchObject({ api_key: [acme.key], file: [acme.byKey.json.file_id] });
  });

  it("that changed something in the portal leads to the change and its author", async () => {
    const found = await lookUp(acme.change);
    expect(found.json).toMatchObject({ kind: "request", id: acme.change });
    expect(found.json.summary.changes).toEqual([
      {
        id: expect.stringMatching(/^aud_/),
        at: expect.any(String),
        actor: "client:portal",
        action: "connection.updated",
        subject: { kind: "connection", id: acme.connection },
      },
    ]);
    expect(relatedOf(found)).toEqual({ connection: [acme.connection] });
  });

  it("that changed an employer is found by operators alone", async () => {
    const put = await portal("PUT", `/employers/${acme.employer}`, { name: "Renamed", owners: [ACME] });
    const id = requestIdOf(put);
    expect((await lookUp(id)).json.summary.changes).toMatchObject([{ action: "employer.updated" }]);
    for (const answer of [await lookUp(id, {}, "bound"), await lookUp(id, ACME)])
      expect(answer.status).toBe(404);
  });

  it("is found in any letter case", async () => {
    expect((await lookUp(acme.request.toUpperCase())).json.id).toBe(acme.request);
  });

  it.each([
    ["of another kind", () => send("/health").then(requestIdOf)],
    ["that read something", () => portal("GET", `/connections/${acme.connection}`).then(requestIdOf)],
    ["of a known connection that never was", async () => mintRequestId(`c${acme.connection}`, Date.now())],
    ["of an unknown key", async () => mintRequestId(`k${newObjectId()}`, Date.now())],
    ["of a time long past", async () => mintRequestId(`c${acme.connection}`, 0)],
    ["of a time far ahead", async () => mintRequestId(`c${acme.connection}`, 16 ** 11 - 1)],
  ])("%s is not found, and the answer says when it came", async (_which, made) => {
    const id = await made();
    const at = new Date(parseRequestId(id)?.at ?? 0).toISOString();
    const { status, json } = await lookUp(id);
    expect(status).toBe(404);
    expect(json).toMatchObject({ error: "id_not_found", details: { requested_at: at } });
    expect(json.message).toContain(at);
  });

  it("is searched for among the files of two minutes only", async () => {
    const connection = await createBoundConnection();
    const file = await accepted(connection);
    const id = (await gateOf(connection).status(file))?.facts.requestId ?? "";
    const { at = 0 } = parseRequestId(id) ?? {};
    expect(await gateOf(connection).findRequest(id, at)).toMatchObject({ file: { fileId: file } });
    expect(await gateOf(connection).findRequest(id, at - 119_000)).not.toBeNull();
    expect(await gateOf(connection).findRequest(id, at - 180_000)).toBeNull();
    expect(await gateOf(connection).findRequest(id, at + 60_000)).toBeNull();
  });
});

describe("the id of a request that brought no report", () => {
  it("because its signature was wrong leads to the error, the mistake and the connection", async () => {
    const connection = await createBoundConnection();
    const wrong = { ...connection, secret: connection.secret.slice("whsec_".length) };
    const refused = await post(wrong, report(), {
      headers: { "X-Request-Id": "run-8", "User-Agent": "curl/8.9.1 (x)" },
    });
    expect(refused.status).toBe(401);
    const found = await lookUp(requestIdOf(refused));
    expect(found.json).toMatchObject({
      kind: "request",
      id: refused.json.request_id,
      summary: {
        request_id: refused.json.request_id,
        caller_request_id: "run-8",
        outcome: "refused",
        status: 401,
        code: "INVALID_SIGNATURE",
        diagnosis: ["secret_without_prefix"],
        user_agent: "curl/8.9.1",
        content_type: "application/json",
        file_id: null,
        file_status: null,
      },
    });
    expect(relatedOf(found)).toEqual({ connection: [connection.id] });
    expect((await lookUp(requestIdOf(refused), {}, "bound")).status).toBe(200);
  });

  it("because it was a repeat leads to the first one's file", async () => {
    const connection = await createBoundConnection();
    const headers = { "Idempotency-Key": "once" };
    const body = report();
    const first = await post(connection, body, { headers });
    const again = await post(connection, body, { headers, timestamp: String(Date.now() + 1_000) });
    expect(again.json).toMatchObject({ duplicate: true, file_id: first.json.file_id });
    expect(requestIdOf(again)).not.toBe(requestIdOf(first));
    const found = await lookUp(requestIdOf(again));
    expect(found.json.summary).toMatchObject({
      outcome: "duplicate",
      status: 202,
      file_id: first.json.file_id,
      file_status: "queued",
    });
    expect(relatedOf(found)).toMatchObject({ connection: [connection.id], file: [first.json.file_id] });
    expect((await lookUp(requestIdOf(first))).json.summary.outcome).toBe("accepted");
  });

  it("because its body was refused leads to the key", async () => {
    const key = await createApiKey();
    const refused = await submit(key, PAYROLL, {});
    const found = await lookUp(requestIdOf(refused));
    expect(found.json.summary).toMatchObject({ outcome: "refused", status: 400, code: refused.json.code });
    expect(relatedOf(found)).toEqual({ api_key: [`ak_${key.id}`] });
  });

  it.each([
    ["connection", () => post({ id: newObjectId(), secret: "any" })],
    ["key", () => submit({ token: `audit1_live_sk_${"q".repeat(32)}` }, PAYROLL, {})],
    ["connection's id", () => post({ id: "no-id", secret: "any" })],
    ["token", () => submit({ token: "no-token" }, PAYROLL, {})],
  ])(
    "because its %s is unknown or malformed is found by operators alone, and asks no gate",
    async (_what, sent) => {
      const refused = await sent();
      const { using, asked } = watchingGates();
      const found = await lookUp(requestIdOf(refused), {}, "portal", using);
      expect(found.json.summary).toMatchObject({
        outcome: "refused",
        status: refused.status,
        code: refused.json.code,
      });
      expect(found.json.related).toEqual([]);
      for (const answer of [
        await lookUp(requestIdOf(refused), {}, "bound", using),
        await lookUp(requestIdOf(refused), ACME, "portal", using),
      ])
        expect(answer).toMatchObject({ status: 404, json: { error: "id_not_found" } });
      expect(asked).toEqual([]);
    },
  );

  it("in a flood is found, or the answer says when it came", async () => {
    const connection = await createBoundConnection();
    const wrong = { ...connection, secret: "whsec_wrong" };
    const refused = await Promise.all(Array.from({ length: 60 }, () => post(wrong)));
    const found = await Promise.all(refused.map((each) => lookUp(requestIdOf(each))));
    const byStatus = Map.groupBy(found, ({ status }) => status);
    expect([...byStatus.keys()].sort()).toEqual([200, 404]);
    for (const { json } of byStatus.get(404) ?? []) expect(json.message).toContain(json.details.requested_at);
  });

  it("is nobody else's", async () => {
    const theirs = await createBoundConnection({
      ...OTHER,
      employer_id: (await createEmployer([OTHER])).id,
    });
    const id = requestIdOf(await post({ ...theirs, secret: "whsec_wrong" }));
    const { using, asked } = watchingGates();
    expect((await lookUp(id, {}, "bound", using)).status).toBe(404);
    expect((await lookUp(id, ACME, "portal", using)).status).toBe(404);
    expect(asked).toEqual([]);
    expect((await lookUp(id, OTHER)).json.summary.code).toBe("INVALID_SIGNATURE");
  });
});

describe("an object's id", () => {
  it("of a file leads to its request, sender, employer, events and deliveries", async () => {
    const found = await lookUp(acme.file);
    expect(found.json).toMatchObject({
      kind: "file",
      id: acme.file,
      summary: { ...ACME, status: "completed", request_id: acme.request, caller_request_id: "run-7" },
    });
    expect(relatedOf(found)).toEqual({
      request: [acme.request],
      connection: [acme.connection],
      employer: [acme.employer],
      event: [acme.uploaded, acme.event],
      delivery: [expect.stringMatching(/^del_/), acme.delivery],
    });
    expect((await lookUp(acme.file.toLowerCase())).json.id).toBe(acme.file);
  });

  it("of a file tells its events and deliveries apart", async () => {
    const { related } = (await lookUp(acme.file)).json;
    const about = (kind: string) => related.filter((each: Json) => each.kind === kind);
    expect(about("event")).toMatchObject([
      { id: acme.uploaded, type: "file.uploaded", at: expect.any(String) },
      { id: acme.event, type: "file.processed", at: expect.any(String) },
    ]);
    expect(about("delivery")).toMatchObject([
      { status: expect.any(String), event_id: acme.uploaded, webhook_id: acme.webhook },
      { status: expect.any(String), event_id: acme.event, webhook_id: acme.webhook },
    ]);
  });

  it("of a file leads to the earlier file with the same body", async () => {
    const connection = await createBoundConnection();
    const body = report();
    const first = await accepted(connection, body);
    const second = await post(connection, body, { timestamp: String(Date.now() + 1_000) });
    expect(relatedOf(await lookUp(second.json.file_id)).file).toEqual([first]);
  });

  it("of a delivery leads to its webhook, its event and the event's file", async () => {
    const { id } = (await lookUp(acme.file)).json.related.find((each: Json) => each.kind === "delivery");
    const found = await lookUp(id);
    expect(found.json).toMatchObject({ kind: "delivery", id, href: `/api/v1/deliveries/${id}` });
    expect(found.json.summary).toMatchObject({ event_type: "file.uploaded" });
    expect(relatedOf(found)).toEqual({
      webhook: [acme.webhook],
      event: [acme.uploaded],
      file: [acme.file],
      connection: [acme.connection],
    });
  });

  it("of an event needs its owner, and leads to its file and deliveries", async () => {
    expect(await lookUp(acme.uploaded)).toMatchObject({ status: 400, json: { error: "owner_id_required" } });
    expect((await lookUp(acme.uploaded, { owner_id: "acme" })).json.error).toBe("owner_type_required");
    for (const found of [
      await lookUp(acme.uploaded, { ...ACME, environment: "production" }),
      await lookUp(acme.uploaded, ACME),
      await lookUp(acme.uploaded, {}, "bound"),
    ]) {
      expect(found.json).toMatchObject({ kind: "event", id: acme.uploaded });
      expect(found.json.summary).toMatchObject({ type: "file.uploaded", ...ACME, environment: "production" });
      expect(relatedOf(found)).toMatchObject({
        file: [acme.file],
        delivery: [expect.stringMatching(/^del_/)],
        webhook: [acme.webhook],
      });
    }
    expect((await lookUp(acme.uploaded, { ...ACME, environment: "sandbox" })).status).toBe(404);
    expect((await lookUp(acme.uploaded, { ...ACME, environment: "prod" })).status).toBe(400);
  });

  it("of an event may be anything that its reporter chose", async () => {
    expect((await lookUp(acme.chosenEvent, ACME)).json).toMatchObject({
      kind: "event",
      id: acme.chosenEvent,
    });
    expect((await lookUp(acme.chosenEvent)).status).toBe(404);
  });

  it("of an event may look like an object's, and is searched for in the named environment", async () => {
    const event = { ...ACME, id: newObjectId(), type: "policy.created", data: {} };
    for (const environment of ["sandbox", "production"])
      expect((await portal("POST", "/events", { ...event, environment })).status).toBe(202);
    const environmentOf = async (query: Json) =>
      (await lookUp(event.id, { ...ACME, ...query })).json.summary.environment;
    expect(await environmentOf({})).toBe("production");
    expect(await environmentOf({ environment: "sandbox" })).toBe("sandbox");
  });

  it.each([
    ["connection", () => acme.connection, () => acme.connection],
    ["connection", () => acme.connection.toUpperCase(), () => acme.connection],
    ["webhook", () => acme.webhook, () => acme.webhook],
    ["webhook", () => acme.webhook.slice(3), () => acme.webhook],
    ["api_key", () => acme.key, () => acme.key],
    ["api_key", () => acme.key.slice(3), () => acme.key],
    ["employer", () => acme.employer, () => acme.employer],
  ])("of the kind %s is found, and its address works", async (kind, asked, shown) => {
    const found = await lookUp(asked());
    expect(found).toMatchObject({ status: 200, json: { kind, id: shown() } });
    expect((await portal("GET", found.json.href.slice("/api/v1".length))).status).toBe(200);
  });

  it("leads by working addresses to everything related", async () => {
    for (const id of [acme.request, acme.file, acme.delivery, acme.connection, acme.change]) {
      const { json } = await lookUp(id);
      expect(json.related.length).toBeGreaterThan(0);
      for (const { kind, id: related, href } of json.related) {
        const { status, json: shown } = await portal("GET", href.slice("/api/v1".length));
        expect(status, href).toBe(200);
        if (href.startsWith("/api/v1/lookup/")) expect(shown).toMatchObject({ kind, id: related });
      }
    }
  });

  it("of something that was deleted leads by working addresses, too", async () => {
    const connection = await createBoundConnection();
    const sent = await post(connection, report());
    await deliverFiles([sent.json.file_id]);
    const asked = {
      ...ACME,
      environment: "production",
      url: "https://hooks.acme-audit.com/y",
      events: ["*"],
    };
    const webhook: string = (await portal("POST", "/webhooks", asked)).json.webhook.id;
    const deletions = [
      await portal("DELETE", `/connections/${connection.id}`),
      await portal("DELETE", `/webhooks/${webhook}`),
    ];
    for (const id of [requestIdOf(sent), sent.json.file_id, ...deletions.map(requestIdOf)]) {
      const { json } = await lookUp(id);
      for (const { href } of json.related)
        expect((await portal("GET", href.slice("/api/v1".length))).status, href).toBe(200);
    }
    for (const id of [connection.id, webhook])
      expect((await lookUp(id)).json.href).toBe(`/api/v1/lookup/${id}`);
  });

  it("never shows a secret, a name or an address", async () => {
    for (const id of Object.values(acme).filter((each) => typeof each === "string")) {
      const text = JSON.stringify((await lookUp(id, ACME)).json);
      expect(text).not.toMatch(/secret|sk_|whsec|Test Employer|John|hooks\.acme/);
    }
  });
});

describe("the page of the console", () => {
  const page = async (id: string, query: Json = {}) => (await lookUp(id, query)).json.console_url;

  it.each([
    ["request", () => `/console/requests/${acme.request}`],
    ["file", () => `/console/reports/${acme.file}`],
    ["delivery", () => `/console/deliveries/${acme.delivery}`],
    ["connection", () => `/console/connections/${acme.connection}`],
    ["webhook", () => `/console/webhooks/${acme.webhook}`],
    ["key", () => `/console/settings?tab=keys&key=${acme.key}`],
    ["employer", () => `/console/settings?tab=employers&employer=${acme.employer}`],
    ["change", () => `/console/find?q=${acme.change}`],
  ] as const)("of a %s is named", async (which, path) => {
    expect(await page(acme[which])).toBe(`${BASE}${path()}`);
  });

  it("of an event names its owner and environment", async () => {
    expect(await page(acme.uploaded, ACME)).toBe(
      `${BASE}/console/events/${acme.uploaded}?owner=payroll_company%2Facme&environment=production`,
    );
  });

  it("of what was deleted is the look-up's own", async () => {
    const { id } = await createBoundConnection();
    await portal("DELETE", `/connections/${id}`);
    expect(await page(id)).toBe(`${BASE}/console/find?q=${id}`);
  });

  it("is at the console's own host, and null where there is no console or its settings cannot be used", async () => {
    const at = async (using: Bindings) => (await lookUp(acme.file, {}, "portal", using)).json.console_url;
    const deployed = { ...bindings, ALLOW_INSECURE_ENDPOINTS: "" };
    expect(await at({ ...deployed, CONSOLE_ORIGIN: "https://console.audit1.com" })).toBe(
      `https://console.audit1.com/console/reports/${acme.file}`,
    );
    expect(await at(deployed)).toBeNull();
    expect(await at({ ...deployed, CONSOLE_ORIGIN: "https://console.audit1.com/console" })).toBeNull();
    expect(await at({ ...deployed, CONSOLE_FRAME_ANCESTORS: "*" })).toBeNull();
  });
});

it("reads every row by an index", async () => {
  const { DB, plans } = withQueryLog(bindings.DB);
  for (const id of Object.values(acme).filter((each) => typeof each === "string"))
    expect((await lookUp(id, ACME, "portal", { ...bindings, DB })).status).toBe(200);
  const steps = await plans();
  const scans = steps.filter((step) => step.startsWith("SCAN") && !step.startsWith("SCAN json_each"));
  expect(scans).toEqual([]);
  // A webhook may have a month of deliveries.
  expect(steps.filter((step) => /^SEARCH d .*\(webhook_id=\?\)/.test(step))).toEqual([]);
  expect(steps).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^SEARCH audit USING INDEX audit_request/),
      expect.stringMatching(
        /^SEARCH api_keys USING (?:COVERING )?INDEX api_keys_token \(token_sha256>\? AND/,
      ),
      expect.stringMatching(
        /^SEARCH events USING (?:COVERING )?INDEX events_id \(owner_type=\? AND owner_id=\? AND environment=\? AND id=\?\)/,
      ),
      expect.stringMatching(
        /^SEARCH w USING (?:COVERING )?INDEX webhooks_\w+ \(owner_type=\? AND owner_id=\?\)/,
      ),
    ]),
  );
});

describe("another owner's id", () => {
  const KINDS = [
    ["request", () => other.request, () => other.request.replace(other.connection, newObjectId())],
    [
      "keyRequest",
      () => other.keyRequest,
      () => other.keyRequest.replace(/^req_k.{24}/, `req_k${newObjectId()}`),
    ],
    ["change", () => other.change, () => `${other.change.slice(0, -12)}${newObjectId().slice(12)}`],
    ["file", () => other.file, () => mintFileId({ kind: "connection", id: newObjectId() }, Date.now())],
    ["delivery", () => other.delivery, () => `del_${newObjectId()}${other.delivery.slice(-11)}`],
    ["event", () => other.event, () => `evt_${newObjectId()}`],
    ["chosenEvent", () => other.chosenEvent, () => newObjectId().slice(1)],
    [
      "uploaded",
      () => other.uploaded,
      () => `evt_uploaded_${mintFileId({ kind: "key", id: newObjectId() }, 0)}_1`,
    ],
    ["connection", () => other.connection, newObjectId],
    ["webhook", () => other.webhook, () => `wh_${newObjectId()}`],
    ["key", () => other.key, () => `ak_${newObjectId()}`],
    ["employer", () => other.employer, () => "EMP_nobodys"],
  ] as const;

  it.each(KINDS)(
    "(%s) is answered like an id that nothing has, and no gate is asked",
    async (_kind, theirs, nobodys) => {
      const { using, asked } = watchingGates();
      const learned = ({ status, json, headers }: Answer) => {
        const { request_id: _request, timestamp: _time, ...rest } = json;
        return { status, ...rest, names: [...headers.keys()] };
      };
      const ways = [
        [{}, "bound"],
        [ACME, "portal"],
      ] as const;
      for (const [query, client] of ways) {
        const answer = learned(await lookUp(theirs(), query, client, using));
        expect(answer.status).toBe(404);
        expect(answer).toEqual(learned(await lookUp(nobodys(), query, client, using)));
      }
      expect(asked).toEqual([]);
      expect((await lookUp(theirs(), OTHER)).status).toBe(200);
    },
  );

  it("of a forged sender asks no gate, whoever asks", async () => {
    const { using, asked } = watchingGates();
    for (const id of [
      mintRequestId(`c${newObjectId()}`, Date.now()),
      mintRequestId(`k${newObjectId()}`, Date.now()),
      mintFileId({ kind: "connection", id: newObjectId() }, Date.now()),
    ])
      expect((await lookUp(id, {}, "portal", using)).status).toBe(404);
    expect(asked).toEqual([]);
  });
});

describe("a text that is no id", () => {
  it.each([
    ["a null character", "%00"],
    ["one behind an id", "EMP_1%00"],
    ["a line end", "EMP_1%0A"],
    ["another alphabet", encodeURIComponent("ЕМР_1")],
    ["half of an emoji", "%ED%A0%BD"],
    ["a broken escape", "%zz"],
    ["a slash", "a%2Fb"],
    ["a quote", "'%20OR%201=1--"],
    ["a template", "%7B%7Bid%7D%7D"],
    ["a wildcard", "%25"],
    ["a long text", "x".repeat(5_000)],
    ["a dot", "a.b"],
    ["a prefix", "req_"],
    ["a mark of another field", "connection:x"],
  ])("(%s) is a clean 404, for which nothing is asked", async (_what, path) => {
    const prepare = vi.spyOn(bindings.DB, "prepare");
    const answer = await portal("GET", `/lookup/${path}`);
    expect(answer).toMatchObject({ status: 404, json: { error: "id_not_found", code: "NOT_FOUND" } });
    if (path !== "req_") expect(prepare).not.toHaveBeenCalled();
  });
});
