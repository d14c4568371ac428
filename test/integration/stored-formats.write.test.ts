/**
 * Writes the fixture that `stored-formats.test.ts` opens: a live gateway's two days, sent through its own endpoints. Run it by hand:
 *
 *   VITE_WRITE_STORED_FORMATS=1 vitest run --project integration test/integration/stored-formats.write.test.ts -u
 *
 * Never overwrite a committed fixture: it is only a proof while older code wrote it. Give a fixture of newer code a file of its own.
 */
import { runDurableObjectAlarm } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { EMPLOYEES, employee, hire, PAYROLL } from "../support/developer.ts";
import { ACCEPTED, answering, catchWakeUps, creatorThat, deliverFiles } from "../support/forwarding.ts";
import { type Answer, bindings, inboundPath, type Json, portal, send, sign } from "../support/gateway.ts";
import { without } from "../support/interception.ts";
import { catchEndpointWakeUps, receiver, wake } from "../support/outbound.ts";
import { type Asked, bodyOf, dump, type Known, type StoredFile } from "../support/stored-formats.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const OWNER = { owner_type: "payroll_company", owner_id: "acme" };
const LEAVING_OWNER = { owner_type: "payroll_company", owner_id: "globex" };
const DESTINATION = "../vectors/stored-formats.jsonl";

/** From this many files on, a gate gives the next day a table of its own. */
const FILES_OF_THE_FIRST_DAY = 100;

let now = Date.parse("2060-03-01T08:00:00.000Z");
function pass(ms: number): void {
  now += ms;
  vi.setSystemTime(now);
}

const files: Known["files"] = {};
const requests: Known["requests"] = {};

/** The body of an answer with the expected status. Throws for any other. */
function ok({ status, json }: Answer, wanted: number): Json {
  if (status !== wanted) throw new Error(`${status} instead of ${wanted}: ${JSON.stringify(json)}`);
  return json;
}

/** Creates an object with an `Idempotency-Key`, and records the request under the same name. */
async function created(path: string, key: string, body: Json): Promise<Json> {
  const headers = {
    "X-Client-ID": "portal",
    "X-Client-Secret": "portal-secret",
    "Content-Type": "application/json",
    "Idempotency-Key": key,
  };
  const text = JSON.stringify(body);
  const answer = await send(`/api/v1${path}`, { method: "POST", headers, body: text });
  requests[key] = { path, headers, body: text, status: 201, answer: ok(answer, 201) };
  return answer.json;
}

/** Sends a signed report, and records its request and its file under `name`. */
async function report(
  name: string,
  connection: { id: string; secret: string },
  body: StoredFile["body"],
  {
    headers = {},
    using = bindings,
    status = 202,
  }: { headers?: Json; using?: typeof bindings; status?: number } = {},
): Promise<string> {
  pass(SECOND);
  const text = bodyOf(body);
  const signed = {
    "Content-Type": "application/json",
    "X-Webhook-Timestamp": String(now),
    "X-Webhook-Signature": await sign(connection.secret, String(now), text),
    ...headers,
  };
  const path = inboundPath(connection).replace("/api/v1", "");
  const answer = await send(`/api/v1${path}`, { method: "POST", headers: signed, body: text }, using);
  const { file_id: id } = ok(answer, status);
  requests[name] = { path, headers: signed, body, status: 202, answer: { file_id: id, duplicate: true } };
  if (typeof id === "string" && answer.json.duplicate === false) files[name] = { id, body };
  return id;
}

/** As {@link report}, with an API key. */
async function submitted(
  name: string,
  { token }: { token: string },
  path: string,
  body: Json,
  headers: Json = {},
): Promise<void> {
  pass(SECOND);
  const text = JSON.stringify(body);
  const all = { "Content-Type": "application/json", Authorization: `Bearer ${token}`, ...headers };
  const { file_id: id } = ok(await send(`/api/v1${path}`, { method: "POST", headers: all, body: text }), 202);
  requests[name] = { path, headers: all, body: text, status: 202, answer: { file_id: id, duplicate: true } };
  files[name] = { id, body: text };
}

const gateOf = (connection: { id: string }, kind = "connection") =>
  bindings.CONNECTION_GATE.getByName(`${kind}:${connection.id}`);
const idOf = (name: string): string => files[name]?.id ?? "";

it.runIf(import.meta.env.VITE_WRITE_STORED_FORMATS)("writes the fixture", { timeout: 300_000 }, async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now);
  catchWakeUps();
  catchEndpointWakeUps();

  // The first day: connections, a key, and enough reports for a table of their own.
  ok(
    await portal("PUT", "/employers/EMP_STORED", {
      fein: "12-3456789",
      name: "Stored Employer",
      owners: [OWNER],
    }),
    201,
  );
  const ofOwner = { ...OWNER, environment: "production" };
  const settings = { ...OWNER, plan: "production", environment: "production", employer_id: "EMP_STORED" };
  const made = await created("/connections", "make-connection", { ...settings, description: "Stored" });
  const first = { id: made.connection.id as string, secret: made.secret as string };
  const repeats = ok(await portal("POST", "/connections", { ...settings, same_body: "deduplicate" }), 201);
  const deduplicating = { id: repeats.connection.id as string, secret: repeats.secret as string };
  const left = ok(await portal("POST", "/connections", { ...settings, retention_years: 3 }), 201);
  const leaving = { id: left.connection.id as string, secret: left.secret as string };
  const { apiKey, secret: token } = ok(await portal("POST", "/api-keys", ofOwner), 201);
  const key = { id: apiKey._id as string, token: token as string };
  const spent = ok(await portal("POST", "/api-keys", { ...OWNER, environment: "sandbox" }), 201).apiKey
    ._id as string;

  const early: string[] = [];
  for (let n = 0; n < FILES_OF_THE_FIRST_DAY; n++)
    early.push(await report(n === 0 ? "archived" : "early", first, `{"employees":[{}],"n":${n}}`));
  await report("left", leaving, '{"employees":[{}],"left":1}');
  await deliverFiles(early, creatorThat().using);
  await deliverFiles([idOf("left")], creatorThat().using);
  const processed = (fileId: string, id: string) =>
    portal("POST", "/events", {
      id,
      type: "file.processed",
      data: { fileId, recordsTotal: 3, recordsProcessed: 2, recordsFailed: 1 },
    });
  ok(await processed(idOf("archived"), "evt_archived"), 202);
  pass(2 * HOUR);
  await runDurableObjectAlarm(gateOf(leaving));
  // One put of a segment hangs until its deadline, which the gate counts in its marks.
  const put = bindings.ARCHIVE.put.bind(bindings.ARCHIVE);
  const hanging = vi.spyOn(bindings.ARCHIVE, "put");
  hanging.mockImplementation((name: string, ...rest: unknown[]) => {
    if (!name.startsWith("archive/")) return Reflect.apply(put, null, [name, ...rest]);
    hanging.mockRestore();
    return new Promise(() => undefined);
  });
  await runDurableObjectAlarm(gateOf(first));
  pass(5 * MINUTE);
  await runDurableObjectAlarm(gateOf(first));

  // The second day: webhooks, a connection and a key that nobody uses yet, and a file in every state.
  pass(24 * HOUR);
  await created("/connections", "make-unused-connection", settings);
  await created("/api-keys", "make-unused-key", ofOwner);
  const rotated = ok(await portal("POST", `/connections/${first.id}/rotate-secret`, {}), 200);
  const connection = { id: first.id, secret: rotated.secret as string, oldSecret: first.secret };
  const url = "https://hooks.receiver-audit.com/in/PATH-SECRET?sig=QUERY-SECRET";
  const headers = { Authorization: "Bearer of-the-receiver", "X-Tenant": "acme-7" };
  const madeHook = await created("/webhooks", "make-webhook", {
    ...ofOwner,
    url,
    events: ["policy.created", "file.*"],
    headers,
    notification_email: "ops@acme-payroll.com",
    description: "Stored",
  });
  const webhook = {
    id: String(madeHook.webhook._id).replace(/^wh_/, ""),
    url,
    secret: madeHook.secret as string,
    headers,
  };
  const pacedHook = await created("/webhooks", "make-paced", {
    ...ofOwner,
    url: "https://paced.receiver-audit.com/in",
    events: ["policy.created", "policy.renewed"],
    signature_format: "sha256",
    max_per_minute: 1,
  });
  const goneHook = ok(
    await portal("POST", "/webhooks", {
      ...ofOwner,
      url: "https://gone.receiver-audit.com/in",
      events: ["policy.*"],
    }),
    201,
  );
  const [paced, gone] = [pacedHook, goneHook].map((json) => ({
    id: String(json.webhook._id).replace(/^wh_/, ""),
  }));
  if (paced === undefined || gone === undefined) throw new Error("two webhooks were made");
  ok(
    await portal("POST", "/webhooks", {
      ...LEAVING_OWNER,
      environment: "production",
      url: "https://leaving.receiver-audit.com/in",
      events: ["*"],
    }),
    201,
  );

  const event = (id: string, type: string, owner = OWNER) =>
    portal("POST", "/events", {
      ...owner,
      environment: "production",
      id,
      type,
      data: { policyId: id, premium: 12.5 },
    });
  ok(await event("evt_delivered", "policy.created"), 202);
  ok(await event("evt_of_globex", "policy.created", LEAVING_OWNER), 202);
  const said = { status: 200, headers: { "X-Trace": "trace-of-the-receiver", "Content-Type": "text/plain" } };
  receiver(({ url: to }) =>
    to.includes("gone.") ? new Response("gone for good", { status: 410 }) : new Response("thank you", said),
  );
  for (const each of [webhook, paced, gone]) await wake(each);
  // One delivery waits for its endpoint's pace, one is refused for now, and the disabled endpoint skips one.
  pass(SECOND);
  ok(await event("evt_paced", "policy.renewed"), 202);
  await wake(paced);
  ok(await event("evt_retrying", "policy.created"), 202);
  receiver(() => new Response("come back later", { status: 503, headers: { "Retry-After": "120" } }));
  await wake(webhook);
  const newSecret = ok(await portal("POST", `/webhooks/${webhook.id}/rotate-secret`, {}), 200)
    .secret as string;

  await report("processing", connection, '{"employees":[{}],"of":"processing"}');
  await deliverFiles([idOf("processing")], creatorThat().using);
  const validated = {
    id: "evt_validated",
    type: "file.validated",
    data: { fileId: idOf("processing"), recordsTotal: 4 },
  };
  ok(await portal("POST", "/events", validated), 202);
  await report("completed", connection, '{"employees":[{}],"of":"completed"}', {
    headers: { "X-Request-ID": "request-of-the-sender" },
  });
  await deliverFiles([idOf("completed")], creatorThat().using);
  ok(await processed(idOf("completed"), "evt_processed"), 202);
  await report("replayed", connection, '{"employees":[{}],"of":"replayed"}');
  await deliverFiles([idOf("replayed")], creatorThat().using);
  ok(await processed(idOf("replayed"), "evt_replayed"), 202);
  ok(await portal("POST", `/files/${idOf("replayed")}/replay`), 202);
  await report("failed", connection, '{"employees":[{}],"of":"failed"}');
  await deliverFiles([idOf("failed")], creatorThat(answering(new Response("never", { status: 422 }))).using);
  await report("deferred", connection, '{"employees":[{}],"of":"deferred"}');
  const later = new Response("not now", { status: 503, headers: { "Retry-After": "1800" } });
  await deliverFiles([idOf("deferred")], creatorThat(answering(later)).using);
  await report("owed", connection, '{"employees":[{}],"of":"owed"}');
  await deliverFiles([idOf("owed")], without("DB.", undefined, creatorThat(ACCEPTED).using));

  const replay = ok(
    await portal("POST", `/webhooks/${webhook.id}/replay`, { since: "2060-02-28T00:00:00Z", only: "all" }),
    202,
  ).replay.id as string;

  // Files that still wait: their payload is in a row, in the archive bucket, or never reached the bucket.
  await report("woken", connection, '{"employees":[{}],"of":"woken"}');
  pass(2 * MINUTE);
  await runDurableObjectAlarm(gateOf(connection));
  await report("queued", connection, '{"employees":[{}],"of":"queued"}', {
    headers: { "Idempotency-Key": "payroll-1" },
  });
  await report("queued again", connection, '{"employees":[{}],"of":"queued"}', {
    headers: { "Idempotency-Key": "payroll-1" },
  });
  await report("same body", connection, '{"employees":[{}],"of":"queued"}');
  await report("large", connection, { padding: 65_530 });
  await report("receiving", connection, { padding: 65_531 }, { using: without("ARCHIVE."), status: 503 });
  await report("deduplicated", deduplicating, '{"employees":[{}],"of":"deduplicated"}');
  await report("deduplicated again", deduplicating, '{"employees":[{}],"of":"deduplicated"}', {
    headers: { "Idempotency-Key": "payroll-2" },
  });
  const period = { employer_id: "EMP_STORED", period_start: "2060-01-01", period_end: "2060-01-31" };
  const totals = { total_payroll: 26_000, total_hours: 520, officer_payroll: 0, subcontractor_payments: 0 };
  await submitted("of a key", key, PAYROLL, { ...period, employees: [employee()], payroll_data: totals });
  const hires = { employer_id: "EMP_STORED", employees: [hire()] };
  await submitted("of a key with a name", key, EMPLOYEES, hires, { "Idempotency-Key": "hires-1" });
  ok(await portal("DELETE", `/connections/${leaving.id}?erase=true`), 200);
  ok(await portal("DELETE", `/api-keys/${spent}?erase=true`), 200);
  ok(await portal("DELETE", "/owners/payroll_company/globex/data?erase=true"), 200);

  const answers: Asked[] = [];
  const bearer = { headers: { Authorization: `Bearer ${key.token}` } };
  const ask = async (as: Asked["as"], path: string) => {
    const answer = as === "key" ? await send(`/api/v1${path}`, bearer) : await portal("GET", path);
    answers.push({ path, as, json: ok(answer, 200) });
    return answer.json;
  };
  for (const path of [
    `/files?connection_id=${first.id}&limit=15`,
    "/files",
    `/files/status/${idOf("archived")}`,
    `/files/status/${idOf("left")}`,
    `/files/status/${idOf("deduplicated")}`,
    "/events",
  ])
    await ask("key", path);
  const owner = String(new URLSearchParams(OWNER));
  for (const path of [
    "/employers/EMP_STORED",
    `/connections?${owner}`,
    `/connections/${first.id}`,
    `/api-keys?${owner}`,
    `/webhooks?${owner}&environment=production`,
    `/webhooks/${webhook.id}`,
    `/webhooks/${webhook.id}/replays/${replay}`,
    `/events?${owner}&environment=production`,
    `/audit?${owner}&limit=100`,
  ])
    await ask("portal", path);
  for (const { id } of [webhook, paced, gone]) {
    const { deliveries } = await ask("portal", `/webhooks/${id}/deliveries`);
    for (const delivery of deliveries)
      if (delivery.attempts > 0) await ask("portal", `/deliveries/${delivery.id}`);
  }

  for (const name of ["early", "archived", "left", "make-connection", "make-webhook"]) delete requests[name];
  delete files.early;
  const known: Known = {
    connection,
    deduplicating,
    leaving: { id: leaving.id },
    key,
    leavingKey: { id: spent },
    webhook: { ...webhook, newSecret },
    paced,
    gone,
    replay,
    leavingOwner: LEAVING_OWNER.owner_id,
    files,
    requests,
  };
  const gates = [
    ...[connection, deduplicating, leaving].map(({ id }) => `connection:${id}`),
    `key:${key.id}`,
  ];
  await expect(await dump(known, answers, gates)).toMatchFileSnapshot(DESTINATION);
});
