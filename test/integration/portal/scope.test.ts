import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { bodyExamples, filled, type Operation, operations, parametersOf } from "../../support/contract.ts";
import { wholeDatabase } from "../../support/database.ts";
import { accepted, catchWakeUps, deliverFiles, resetCircuitBreaker } from "../../support/forwarding.ts";
import {
  type Answer,
  createApiKey,
  createConnection,
  createEmployer,
  type Json,
  portal,
  post,
  send,
} from "../../support/gateway.ts";
import { createLink, signIn } from "../../support/sessions.ts";
import { openAlert } from "../../support/watch.ts";

const ACME = { owner_type: "payroll_company", owner_id: "acme" };

/** Owners that are not acme, named whole and by one field. */
const OTHERS: Json[] = [
  { owner_type: "payroll_company", owner_id: "somebody-else" },
  { owner_type: "employer", owner_id: "acme" },
  { owner_id: "somebody-else" },
  { owner_id: "ACME" },
  { owner_type: "software_company" },
];

/** Reads an owner's events, which the request must name in full. */
const namesInFull = ({ id }: Operation) => id === "getEvent";
/** Looks for the owner that a bound client names, before any object. */
const looksForOwner = ({ id }: Operation) => id === "putEmployer" || id === "getEvent";

const objectOperations = operations.filter(
  (operation) =>
    parametersOf(operation, "path").length > 0 &&
    (operation.described.security as Json[]).some((way) => "portalClientId" in way),
);

let employer = "";

beforeAll(async () => {
  employer = (await createEmployer()).id;
});

beforeEach(async () => {
  catchWakeUps();
  await resetCircuitBreaker();
  return () => vi.restoreAllMocks();
});

async function aWebhook(): Promise<string> {
  const fields = {
    ...ACME,
    environment: "production",
    url: "https://hooks.acme-audit.com/x",
    events: ["policy.*"],
  };
  return (await portal("POST", "/webhooks", fields)).json.webhook.id;
}

/** Objects of acme, as a path names them: each operation gets new ones. */
async function objectsFor(operation: Operation): Promise<Record<string, string>> {
  const names = parametersOf(operation, "path").map(({ name }) => name as string);
  const webhook = names.some((name) => /webhook|delivery|replay|event/.test(name)) ? await aWebhook() : "";
  const make: Record<string, () => Promise<string>> = {
    connection_id: async () => (await createConnection({ employer_id: employer })).id,
    api_key_id: async () => (await createApiKey()).id,
    webhook_id: async () => webhook,
    delivery_id: async () => (await portal("POST", `/webhooks/${webhook}/test`)).json.delivery_id,
    replay_id: async () => {
      const range = { since: "2026-03-15T00:00:00Z" };
      return (await portal("POST", `/webhooks/${webhook}/replay`, range)).json.replay.id;
    },
    alert_id: async () => openAlert(await createConnection({ employer_id: employer })),
    job_id: async () => (await portal("POST", "/deliveries/retry", ACME)).json.job.id,
    employer_id: async () => employer,
    file_id: async () => {
      const fileId = await accepted(await createConnection({ employer_id: employer }));
      await deliverFiles([fileId]);
      await portal("POST", "/events", { id: newObjectId(), type: "file.processed", data: { fileId } });
      return fileId;
    },
    any_id: async () => {
      const sent = await post(await createConnection({ employer_id: employer }));
      return sent.headers.get("X-Audit1-Request-Id") ?? "";
    },
    event_id: async () => (await portal("POST", `/webhooks/${webhook}/test`)).json.event_id,
    portal_link_id: async () => (await createLink(ACME)).id,
    session_id: async () => (await signIn(ACME)).session.id,
    owner_type: async () => ACME.owner_type,
    owner_id: async () => ACME.owner_id,
  };
  const objects: Record<string, string> = {};
  for (const name of names) objects[name] = (await make[name]?.()) ?? "";
  return objects;
}

/** Ids of the same forms that nobody has. */
const NOBODYS: Record<string, (own: string) => string> = {
  connection_id: newObjectId,
  api_key_id: newObjectId,
  webhook_id: () => `wh_${newObjectId()}`,
  delivery_id: (own) => `del_${newObjectId()}${own.slice(-11)}`,
  replay_id: newObjectId,
  alert_id: () => `alt_${"0".repeat(20)}`,
  job_id: newObjectId,
  employer_id: () => "EMP_nobodys",
  file_id: () => mintFileId({ kind: "connection", id: newObjectId() }, Date.now()),
  // Of the same time: the answer says when the request came.
  any_id: (own) => own.replace(/^req_c.{24}/, `req_c${newObjectId()}`),
  event_id: () => `evt_test_${newObjectId()}`,
  portal_link_id: () => `plk_${newObjectId()}`,
  session_id: () => `ses_${newObjectId()}`,
  owner_type: (own) => own,
  owner_id: () => "nobody",
};

interface Naming {
  query?: Json | string;
  body?: Json;
}

function ask(
  operation: Operation,
  objects: Record<string, string>,
  { query = "", body }: Naming,
  client = "portal",
): Promise<Answer> {
  const { method, path } = operation;
  const [example] = bodyExamples(operation).map(([, value]) => structuredClone(value) as Json);
  const more = operation.id === "putEmployer" ? { owners: [ACME] } : {};
  const sent = example === undefined ? body : { ...example, ...more, ...body };
  return send(`${filled(path, objects)}?${typeof query === "string" ? query : new URLSearchParams(query)}`, {
    method,
    headers: {
      "Content-Type": "application/json",
      "X-Client-ID": client,
      "X-Client-Secret": `${client}-secret`,
      // A client that may not see the object does not learn its version.
      ...(parametersOf(operation, "header").length > 0 && { "If-Match": "*" }),
    },
    ...(sent !== undefined && { body: JSON.stringify(sent) }),
  });
}

function learned({ status, json, headers }: Answer) {
  const { request_id: _request, timestamp: _time, ...rest } = json;
  return { status, ...rest, names: [...headers.keys()] };
}

describe("an object of another owner than the one that the request names", () => {
  it("is tested at every operation of the document whose path names one", () => {
    expect(objectOperations.length).toBeGreaterThan(20);
    const names = objectOperations.flatMap((operation) => parametersOf(operation, "path"));
    expect([...new Set(names.map(({ name }) => name))].filter((name) => !(name in NOBODYS))).toEqual([]);
  });

  it.each(objectOperations.map((operation) => [operation.id, operation] as const))(
    "%s does nothing, and answers as for an id that nobody has",
    async (_id, operation) => {
      const objects = await objectsFor(operation);
      const nobodys = Object.fromEntries(
        Object.entries(objects).map(([name, own]) => [name, NOBODYS[name]?.(own) ?? ""]),
      );
      const inBody = operation.method === "GET" ? [] : OTHERS.map((body): Naming => ({ body }));
      const before = await wholeDatabase();
      const inQuery = OTHERS.filter((other) => !namesInFull(operation) || Object.keys(other).length === 2);
      for (const naming of [...inQuery.map((query): Naming => ({ query })), ...inBody]) {
        const unknown = learned(await ask(operation, nobodys, naming));
        expect(unknown.status, JSON.stringify(naming)).toBe(404);
        for (const client of ["portal", "bound"])
          expect(learned(await ask(operation, objects, naming, client)), client).toEqual(
            client === "bound" && looksForOwner(operation)
              ? expect.objectContaining({ status: 404 })
              : unknown,
          );
      }
      expect(await wholeDatabase()).toEqual(before);
    },
  );
});

describe("an object of the owner that the request names", () => {
  it.each(objectOperations.map((operation) => [operation.id, operation] as const))(
    "is there for %s, wherever it is named, and named twice alike",
    async (_id, operation) => {
      const [byQuery, byBody]: Naming[] = [{ query: ACME }, { body: ACME }];
      const both = {
        query: `owner_id=acme&owner_id=acme&owner_type=payroll_company`,
        body: { owner_id: "acme" },
      };
      const namings =
        operation.method !== "GET"
          ? [byQuery, byBody, both]
          : namesInFull(operation)
            ? [byQuery]
            : [byQuery, { query: { owner_id: "acme" } }];
      for (const naming of namings) {
        const answer = await ask(operation, await objectsFor(operation), naming ?? {});
        expect(answer.status, JSON.stringify([naming, answer.json])).toBeLessThan(300);
      }
    },
  );
});

describe("two owners in one request", () => {
  const twice: Naming[] = [
    { query: "owner_id=acme&owner_id=other" },
    { query: "owner_id=other&owner_id=acme" },
    { query: "owner_type=employer&owner_type=payroll_company" },
    { query: "owner_id=acme", body: { owner_id: "other" } },
    { query: "owner_type=payroll_company", body: { owner_type: "employer" } },
  ];

  it.each(objectOperations.map((operation) => [operation.id, operation] as const))(
    "are a 400 for %s, which does nothing",
    async (_id, operation) => {
      const objects = await objectsFor(operation);
      const before = await wholeDatabase();
      for (const naming of twice.filter(({ body }) => operation.method !== "GET" || body === undefined)) {
        const { status, json } = await ask(operation, objects, naming);
        expect(status).toBe(400);
        expect(json).toMatchObject({ error: "Validation Error", code: "VALIDATION_ERROR" });
        expect(json.message).toMatch(/^owner_(id|type) is given twice, with different values/);
      }
      expect(await wholeDatabase()).toEqual(before);
    },
  );

  it.each([
    ["POST", "/connections", {}],
    ["POST", "/api-keys", { environment: "sandbox" }],
    ["POST", "/webhooks", { url: "https://hooks.acme-audit.com/x", events: ["*"] }],
    ["POST", "/events", { id: "evt-two-owners", type: "policy.created", data: {} }],
  ])("are a 400 for %s %s, and one in the query is taken", async (method, path, fields) => {
    const before = await wholeDatabase();
    const refused = await portal(method, `${path}?owner_id=other`, { ...fields, ...ACME });
    expect(refused.status).toBe(400);
    expect(refused.json.details).toEqual({ owner_id: "Given twice, with different values" });
    expect(await wholeDatabase()).toEqual(before);
    const query = new URLSearchParams(ACME);
    expect((await portal(method, `${path}?${query}`, fields)).status).toBeLessThan(300);
    const elsewhere = await portal(method, `${path}?owner_id=other&owner_type=employer`, fields, "bound");
    expect(elsewhere).toMatchObject({ status: 404, json: { error: "owner_not_found" } });
  });

  it("are a 400 for a list", async () => {
    for (const path of [
      "/connections",
      "/api-keys",
      "/webhooks",
      "/employers",
      "/audit",
      "/events",
      "/files",
    ]) {
      const { status } = await portal(
        "GET",
        `${path}?owner_id=acme&owner_id=other&owner_type=payroll_company`,
      );
      expect(status, path).toBe(400);
    }
  });
});

describe("an owner that is misspelt", () => {
  it.each([
    "owner_id=",
    "owner_type=",
    "owner_type=vendor",
    "ownerId=other",
    "ownerType=employer",
    "OWNER_ID=other",
    "owner-id=other",
    "owner_id[]=other",
    "owner=other",
    "owner_ids=other",
    "owners=other",
    "webhook.owner_id=other",
  ])("(%s) does not count as none", async (query) => {
    const webhook = await aWebhook();
    const { status, json } = await portal("DELETE", `/webhooks/${webhook}?${query}`);
    expect(status).toBe(400);
    expect(Object.keys(json.details)).toEqual([query.slice(0, query.indexOf("="))]);
    expect((await portal("GET", `/webhooks/${webhook}`)).status).toBe(200);
  });

  it.each<[unknown, string]>([
    [{ owner_id: null }, "owner_id"],
    [{ owner_id: 5 }, "owner_id"],
    [{ owner_id: ["acme"] }, "owner_id"],
    [{ ownerId: "other" }, "ownerId"],
    [{ owner: { id: "other" } }, "owner"],
    [{ ownerIds: ["other"] }, "ownerIds"],
    [["owner_id", "other"], "body"],
    ["owner_id=other", "body"],
  ])("in the body (%j) does not count as none, where no body is needed", async (body, field) => {
    const webhook = await aWebhook();
    const { status, json } = await portal("DELETE", `/webhooks/${webhook}`, body);
    expect(status).toBe(400);
    expect(Object.keys(json.details)).toEqual([field]);
    expect((await portal("GET", `/webhooks/${webhook}`)).status).toBe(200);
  });

  it("in a form does not count as none", async () => {
    const webhook = await aWebhook();
    const { status } = await send(`/api/v1/webhooks/${webhook}`, {
      method: "DELETE",
      headers: {
        "X-Client-ID": "portal",
        "X-Client-Secret": "portal-secret",
        "Content-Type": "application/x-www-form-urlencoded",
      },
      body: "owner_id=other",
    });
    expect(status).toBe(400);
    expect((await portal("GET", `/webhooks/${webhook}`)).status).toBe(200);
  });
});

describe("a change that names the owner", () => {
  it("does not change the object's owner", async () => {
    const connection = (await createConnection()).id;
    const key = (await createApiKey()).id;
    const webhook = await aWebhook();
    for (const [path, change] of [
      [`/connections/${connection}`, { description: "named" }],
      [`/api-keys/${key}`, { is_active: false }],
      [`/webhooks/${webhook}`, { description: "named" }],
    ] as const) {
      const { status, json } = await portal("PATCH", path, { ...change, ...ACME });
      expect(status, path).toBe(200);
      expect(json.connection ?? json.apiKey ?? json.webhook).toMatchObject({ ...change, ...ACME });
    }
  });

  it("still has to change something", async () => {
    const { status } = await portal("PATCH", `/webhooks/${await aWebhook()}`, ACME);
    expect(status).toBe(400);
  });

  it("does not change the grants of owners that it does not see", async () => {
    const other = { owner_type: "employer", owner_id: "unseen" };
    const { id, fein } = await createEmployer([ACME, other]);
    const read = await portal("GET", `/employers/${id}?owner_id=acme`);
    expect(read.json.employer.owners).toEqual([ACME]);
    const put = await portal("PUT", `/employers/${id}?owner_id=acme`, { fein, name: "New", owners: [ACME] });
    expect(put).toMatchObject({ status: 200, json: { employer: { name: "New", owners: [ACME] } } });
    expect((await portal("GET", `/employers/${id}`)).json.employer.owners).toEqual([other, ACME]);
  });
});

describe("a route for all owners", () => {
  it.each([
    ["POST", "/vault/rewrap?owner_id=acme", {}],
    ["POST", "/employers/import?owner_type=employer", {}],
  ])("%s %s is nothing that one owner can ask for", async (method, path, body) => {
    expect((await portal(method, path, body)).status).toBe(404);
  });

  it("lists the changes of a file only if the request names its owner or none", async () => {
    const fileId = await accepted(await createConnection({ employer_id: employer }));
    await deliverFiles([fileId]);
    const event = { id: "evt_scoped", type: "file.processed", data: { fileId } };
    expect((await portal("POST", "/events?owner_id=other", event)).status).toBe(404);
    expect((await portal("POST", "/events?owner_id=acme", event)).status).toBe(202);
  });
});
