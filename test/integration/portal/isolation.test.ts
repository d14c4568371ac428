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
  gateOf,
  type Json,
  portal,
  send,
} from "../../support/gateway.ts";
import { catchEndpointWakeUps } from "../../support/outbound.ts";
import { createLink, signIn } from "../../support/sessions.ts";
import { openAlert } from "../../support/watch.ts";

/** Acme's client and key ask; the objects are this owner's. */
const THEIRS = { owner_type: "payroll_company", owner_id: "other" };

/** An empty way means that credentials are optional: health shows more to those who have some. */
const isFor =
  (scheme: string) =>
  ({ described }: Operation) =>
    described.security.some((way: Json) => scheme in way) &&
    !described.security.some((way: Json) => Object.keys(way).length === 0);
const ofPortal = operations.filter(isFor("portalClientId"));
const ofKeys = operations.filter(isFor("apiKey"));
/** Those that a key and a portal client may ask for alike are asked for by both. */
const portalOperations = ofPortal.filter((operation) => !ofKeys.includes(operation));
const developerOperations = ofKeys.filter((operation) => !ofPortal.includes(operation));
const sharedOperations = ofKeys.filter((operation) => ofPortal.includes(operation));
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const named = (list: Operation[]) => list.map((operation): [string, Operation] => [operation.id, operation]);

let key = "";
let theirConnection: { id: string; secret: string };
let theirKey: { id: string };
let theirFile = "";
let theirEmployer = "";
let theirWebhook = "";
let theirDelivery = "";
let theirEvent = "";
let theirReplay = "";
let theirRequest = "";
let theirAlert = "";
let theirJob = "";
let theirLink = "";
let theirSession = "";

beforeEach(async () => {
  catchWakeUps();
  catchEndpointWakeUps();
  await resetCircuitBreaker();
  return () => vi.restoreAllMocks();
});

beforeAll(async () => {
  // What wakes an endpoint here would be delivered during one of the tests.
  catchEndpointWakeUps();
  key = (await createApiKey()).token;
  // The first use of a key is noted; the next ones of the hour are not.
  await send("/api/v1/files", { headers: bearer(key) });
  const employer = await createEmployer([THEIRS]);
  theirEmployer = employer.id;
  theirConnection = await createConnection({ ...THEIRS, employer_id: employer.id });
  theirKey = await createApiKey(THEIRS);
  theirFile = await accepted(theirConnection);
  theirRequest = (await gateOf(theirConnection).status(theirFile))?.facts.requestId ?? "";
  await deliverFiles([theirFile]);
  await portal("POST", "/events", { id: "evt_done", type: "file.processed", data: { fileId: theirFile } });
  theirAlert = await openAlert(theirConnection);
  const asked = {
    ...THEIRS,
    environment: "production",
    url: "https://hooks.other-audit.com/x",
    events: ["*"],
  };
  theirWebhook = (await portal("POST", "/webhooks", asked)).json.webhook.id;
  const test = (await portal("POST", `/webhooks/${theirWebhook}/test`)).json;
  theirDelivery = test.delivery_id;
  theirEvent = test.event_id;
  const range = { since: "2026-03-15T00:00:00Z" };
  theirReplay = (await portal("POST", `/webhooks/${theirWebhook}/replay`, range)).json.replay.id;
  theirLink = (await createLink(THEIRS)).id;
  theirSession = (await signIn(THEIRS)).session.id;
  // It matches nothing: a delivery that is sent in the background would change the database under the tests.
  const nothing = { ...range, until: "2026-03-15T00:00:01Z" };
  theirJob = (await portal("POST", "/deliveries/retry", { ...THEIRS, ...nothing })).json.job.id;
  own = (await createConnection()).id;
  ownKey = (await createApiKey()).id;
  const mine = { url: "https://hooks.acme-audit.com/x", events: ["*"], environment: "production" };
  ownWebhook = (await portal("POST", "/webhooks", mine, "bound")).json.webhook.id;
});

/** By the name of a field that holds an id: another owner's, and one that nobody has. */
const IDS: Record<string, { theirs: () => string; nobodys: () => string }> = {
  connection_id: { theirs: () => theirConnection.id, nobodys: newObjectId },
  file_id: {
    theirs: () => theirFile,
    nobodys: () => mintFileId({ kind: "connection", id: newObjectId() }, Date.now()),
  },
  fileId: {
    theirs: () => theirFile,
    nobodys: () => mintFileId({ kind: "connection", id: newObjectId() }, Date.now()),
  },
  api_key_id: { theirs: () => theirKey.id, nobodys: newObjectId },
  webhook_id: { theirs: () => theirWebhook, nobodys: () => `wh_${newObjectId()}` },
  delivery_id: {
    theirs: () => theirDelivery,
    nobodys: () => `del_${newObjectId()}${theirDelivery.slice(-11)}`,
  },
  replay_id: { theirs: () => theirReplay, nobodys: newObjectId },
  event_id: { theirs: () => theirEvent, nobodys: () => `evt_test_${newObjectId()}` },
  // Of the same time: the answer says when the request came.
  any_id: {
    theirs: () => theirRequest,
    nobodys: () => theirRequest.replace(theirConnection.id, newObjectId()),
  },
  alert_id: { theirs: () => theirAlert, nobodys: () => `alt_${"0".repeat(20)}` },
  job_id: { theirs: () => theirJob, nobodys: newObjectId },
  portal_link_id: { theirs: () => theirLink, nobodys: () => `plk_${newObjectId()}` },
  session_id: { theirs: () => theirSession, nobodys: () => `ses_${newObjectId()}` },
  employer_id: { theirs: () => theirEmployer, nobodys: () => "EMP_nobodys" },
  owner_id: { theirs: () => THEIRS.owner_id, nobodys: () => "nobody" },
  subject: { theirs: () => `connection:${theirConnection.id}`, nobodys: () => `connection:${newObjectId()}` },
};
/** Where a bound client may name whom it likes: nothing is looked up by it. */
const NAMES_NOTHING = ["owner_type"];

const HOLDS_AN_ID = /(?:_id|Id|_type|^subject)$/;

/** One place of an operation's input where an id goes, and the request with an id in it. */
interface Place {
  operation: Operation;
  where: "path" | "query" | "body";
  field: string;
}

const places: Place[] = [...ofPortal, ...developerOperations].flatMap((operation) => [
  ...parametersOf(operation, "path").map(({ name }) => ({ operation, where: "path" as const, field: name })),
  ...parametersOf(operation, "query")
    .filter(({ name }) => HOLDS_AN_ID.test(name))
    .map(({ name }) => ({ operation, where: "query" as const, field: name })),
  ...idFieldsIn(operation).map((field) => ({
    operation,
    where: "body" as const,
    field,
  })),
]);

/** Paths of fields such as `data.fileId`. Lists of owners are what the portal itself alone may say. */
function idFieldsOf(schema: Json = {}, prefix = ""): string[] {
  return Object.entries((schema.properties as Json | undefined) ?? {}).flatMap(([name, inner]) => [
    ...(HOLDS_AN_ID.test(name) ? [prefix + name] : []),
    ...idFieldsOf(inner, `${prefix}${name}.`),
  ]);
}

/** An event names its subject in its data, which no schema validates. */
function idFieldsIn({ id, described }: Operation): string[] {
  if (id === "reportEvent") return ["data.fileId"];
  // Both dialects of a report can name an employer by its id.
  if (id === "submitPayrollReport") return ["employer_id"];
  return idFieldsOf(described.requestBody?.content["application/json"]?.schema);
}

function lastOf(field: string): string {
  return field.slice(field.lastIndexOf(".") + 1);
}

/** What a query needs beside an id, by operation. */
const NEEDED: Record<string, (field: string) => Record<string, string>> = {
  listEvents: () => ({ environment: "production" }),
  getMetrics: (field) => ({ measure: field === "webhook_id" ? "delivered" : "accepted" }),
};

function ask({ operation, where, field }: Place, id: string): Promise<Answer> {
  const { path, method } = operation;
  const params = Object.fromEntries(parametersOf(operation, "path").map(({ name }) => [name, ownOr(name)]));
  if (where === "path") params[field] = id;
  const more = NEEDED[operation.id]?.(field) ?? {};
  const query = where === "query" ? `?${new URLSearchParams({ [field]: id, ...more })}` : "";
  const [example] = bodyExamples(operation).map(([, value]) => structuredClone(value) as Json);
  if (example !== undefined) {
    // A client that is bound to an owner need not name it, and must not choose a plan.
    for (const left of ["owner_type", "owner_id", "plan", "employer_id"]) delete example[left];
    if (where === "body") put(example, field.split("."), id);
  }
  const who = ofPortal.includes(operation)
    ? { "X-Client-ID": "bound", "X-Client-Secret": "bound-secret" }
    : bearer(key);
  return send(filled(path, params) + query, {
    method,
    headers: { "Content-Type": "application/json", ...who },
    ...(example !== undefined && { body: JSON.stringify(example) }),
  });
}

let own = "";
let ownWebhook = "";
let ownKey = "";
const OWN: Record<string, () => string> = {
  connection_id: () => own,
  webhook_id: () => ownWebhook,
  api_key_id: () => ownKey,
  employer_id: () => "EMP_own",
  owner_type: () => "payroll_company",
  replay_id: newObjectId,
  job_id: newObjectId,
  portal_link_id: () => `plk_${newObjectId()}`,
  session_id: () => `ses_${newObjectId()}`,
};
/** Where another field is being tried, the path names an object of the asker's own. */
function ownOr(name: string): string {
  return OWN[name]?.() ?? "";
}

function put(body: Json, [first = "", ...rest]: string[], value: string): void {
  body[first] = rest.length === 0 ? value : (body[first] ?? {});
  if (rest.length > 0) put(body[first], rest, value);
}

/** What a caller learns, apart from when and as which request it was answered. */
function learned({ status, json, headers }: Answer) {
  const { request_id: _request, timestamp: _time, ...rest } = json;
  const names = [...headers.keys()].filter((name) => !name.startsWith("x-ratelimit"));
  return { status, ...rest, names };
}

/** All of D1, and the other owner's gates. */
async function everything(): Promise<Json> {
  const all = await wholeDatabase();
  all.files = await gateOf(theirConnection).list(null, 100);
  all.keyFiles = await gateOf(theirKey, "key").list(null, 100);
  return all;
}

describe("another owner's id", () => {
  it("is covered by this test in every place of an id", () => {
    const unknown = places.map(({ field }) => lastOf(field)).filter((name) => !(name in IDS));
    expect([...new Set(unknown)]).toEqual(NAMES_NOTHING);
    expect(places.length).toBeGreaterThan(15);
  });

  it.each(
    places
      .filter(({ field }) => lastOf(field) in IDS)
      .map((place): [string, string, string, Place] => [place.where, place.field, place.operation.id, place]),
  )(
    "in the %s (%s) of %s is answered as one that nobody has, and nothing changes",
    async (_w, _f, _o, place) => {
      const ids = IDS[lastOf(place.field)];
      if (ids === undefined) throw new Error(`no ids for ${place.field}`);
      const before = await everything();
      expect(before.files).toHaveLength(1);
      const [theirs, nobodys] = [await ask(place, ids.theirs()), await ask(place, ids.nobodys())];
      expect(learned(theirs)).toEqual(learned(nobodys));
      // A filter finds nothing; everything else is not found.
      if (place.operation.id === "replayFiles" && place.field === "employer_id")
        expect(theirs).toMatchObject({ status: 200, json: { dry_run: true, matched: 0 } });
      else if (place.operation.id === "listFiles" && place.field === "employer_id")
        expect(theirs).toMatchObject({ status: 200, json: { files: [], next_cursor: null, count: 0 } });
      else if (place.operation.id === "listConnections" && place.field === "employer_id")
        expect(theirs).toMatchObject({ status: 200, json: { connections: [], next_cursor: null, count: 0 } });
      else if (place.field === "subject") expect(theirs).toMatchObject({ status: 200, json: { audit: [] } });
      else expect(theirs.status).toBe(404);
      for (const answer of [theirs, nobodys]) expect(JSON.stringify(answer.json)).not.toMatch(/other|EMP_\d/);
      expect(await everything()).toEqual(before);
    },
  );
});

describe("without the credentials it requires", () => {
  const call = (operation: Operation, headers: Record<string, string>) => {
    const params = Object.fromEntries(
      parametersOf(operation, "path").map(({ name }) => [name, IDS[name]?.theirs() ?? "x"]),
    );
    const [body] = bodyExamples(operation).map(([, value]) => JSON.stringify(value));
    return send(filled(operation.path, params), {
      method: operation.method,
      headers: { "Content-Type": "application/json", ...headers },
      ...(body !== undefined && { body }),
    });
  };
  const portalPair = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };

  it.each(named(portalOperations))(
    "%s is refused: nothing 401, a developer's key 403",
    async (_id, operation) => {
      const before = await everything();
      expect((await call(operation, {})).status).toBe(401);
      expect((await call(operation, bearer(key))).status).toBe(403);
      expect(await everything()).toEqual(before);
    },
  );

  it.each(named(sharedOperations))(
    "%s is refused: nothing 401, an unknown key or client 401",
    async (_id, operation) => {
      for (const who of [
        {},
        bearer(`audit1_live_sk_${"a".repeat(32)}`),
        { ...portalPair, "X-Client-Secret": "x" },
      ])
        expect((await call(operation, who)).status).toBe(401);
    },
  );

  it.each(named(developerOperations))(
    "%s is refused: nothing and a portal client 401",
    async (_id, operation) => {
      const before = await everything();
      expect((await call(operation, {})).status).toBe(401);
      expect((await call(operation, portalPair)).status).toBe(401);
      expect(await everything()).toEqual(before);
    },
  );
});
