import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  accepted,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  resetCircuitBreaker,
} from "../../support/forwarding.ts";
import { bindings, createBoundConnection, type Json, portal } from "../../support/gateway.ts";
import { catchEndpointWakeUps, deliveriesOf, receiver, storeWebhook, wake } from "../../support/outbound.ts";

beforeEach(async () => {
  catchWakeUps();
  await resetCircuitBreaker();
});
afterEach(() => {
  vi.restoreAllMocks();
});

let owners = 0;
const freshOwner = () => ({ owner_type: "payroll_company" as const, owner_id: `whole-${++owners}` });

it("carries an event from its endpoint to its receiver without further help", async () => {
  const owner = freshOwner();
  const hook = await storeWebhook({ ...owner, environment: "sandbox" });
  const { calls } = receiver();
  const at = new Date(Date.now() - 3_600_000).toISOString();
  const answer = await portal("POST", "/events", {
    ...owner,
    environment: "sandbox",
    id: `evt_${hook.id}`,
    type: "payment.processed",
    timestamp: at,
    data: { paymentId: "P1", amount: 12.5 },
  });
  expect(answer.status).toBe(202);
  await vi.waitFor(async () => expect(await deliveriesOf(hook)).toMatchObject([{ status: "delivered" }]), {
    timeout: 10_000,
  });
  const ours = calls.filter(({ webhook }) => webhook === hook.id);
  expect(ours).toHaveLength(1);
  expect(ours[0]?.body).toEqual({
    id: `evt_${hook.id}`,
    type: "payment.processed",
    timestamp: at,
    created_at: at,
    data: { paymentId: "P1", amount: 12.5 },
    metadata: { source: "audit1", environment: "sandbox", sequence: expect.any(Number) },
  });
  expect(JSON.stringify(ours[0]?.body)).toBe(ours[0]?.text);
  expect(ours[0]?.headers.get("User-Agent")).toBe("Audit1-Webhooks/1");
});

it("sends the first retry without a cron", async () => {
  const hook = await storeWebhook({ ...freshOwner(), environment: "sandbox" });
  const { calls } = receiver((call) => {
    const before = calls.filter(({ webhook }) => webhook === call.webhook).length;
    return new Response(null, { status: before === 1 ? 500 : 204 });
  });
  await portal("POST", "/events", {
    owner_type: hook.owner_type,
    owner_id: hook.owner_id,
    environment: "sandbox",
    id: `evt_${hook.id}`,
    type: "policy.renewed",
    data: {},
  });
  await vi.waitFor(
    async () => expect(await deliveriesOf(hook)).toMatchObject([{ status: "delivered", attempts: 2 }]),
    { timeout: 10_000 },
  );
});

it("publishes the files-creator's reports to the file's owner, whatever owner the report names", async () => {
  catchEndpointWakeUps();
  const owner = freshOwner();
  const connection = await createBoundConnection(owner);
  const hook = await storeWebhook({ ...owner, events: ["file.*"] });
  const stranger = await storeWebhook(freshOwner());
  const { calls } = receiver();
  const fileId = await accepted(connection);
  await deliverFiles([fileId], creatorThat().using);
  const report = (type: string, id: string) =>
    portal("POST", "/events", {
      id,
      type,
      owner_type: stranger.owner_type,
      owner_id: stranger.owner_id,
      environment: "sandbox",
      data: { fileId, recordsTotal: 3, status: type.slice(5) },
    });
  // The file is processing already: the report moves nothing, and is told all the same.
  expect((await report("file.validated", "evt_v")).json).toMatchObject({
    status: "processing",
    duplicate: false,
  });
  expect((await report("file.processed", "evt_p")).json).toMatchObject({ status: "completed" });
  // A repeat is a repeat, and what contradicts how the file ended is nobody's news.
  expect((await report("file.processed", "evt_p")).json).toMatchObject({ duplicate: true });
  expect((await report("file.failed", "evt_f")).json).toMatchObject({ status: "completed" });
  await wake(hook, stranger);
  expect(calls.map(({ webhook, body }) => [webhook, body.type])).toEqual([
    [hook.id, "file.uploaded"],
    [hook.id, "file.validated"],
    [hook.id, "file.processed"],
  ]);
  expect(calls[1]?.body).toMatchObject({
    id: "evt_v",
    data: { fileId, recordsTotal: 3, status: "validated" },
  });
});

it("publishes the upload first if the report precedes the response to the POST", async () => {
  catchEndpointWakeUps();
  const owner = freshOwner();
  const connection = await createBoundConnection(owner);
  await storeWebhook({ ...owner, events: ["file.*"] });
  const fileId = await accepted(connection);
  await portal("POST", "/events", { id: "evt_early", type: "file.processed", data: { fileId } });
  await deliverFiles([fileId], creatorThat().using);
  const { results } = await bindings.DB.prepare("SELECT type FROM events WHERE owner_id = ? ORDER BY seq")
    .bind(owner.owner_id)
    .all<Json>();
  expect(results.map(({ type }) => type)).toEqual(["file.uploaded", "file.processed"]);
});

it("is a 503 if a report could not be published, and publishes it when it is repeated", async () => {
  catchEndpointWakeUps();
  const owner = freshOwner();
  const connection = await createBoundConnection(owner);
  await storeWebhook({ ...owner, events: ["file.processed"] });
  const fileId = await accepted(connection);
  const body = { id: "evt_again", type: "file.processed", data: { fileId } };
  const DB = new Proxy(bindings.DB, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "batch") throw new Error("D1_ERROR: away");
        return Reflect.apply(value, target, args);
      };
    },
  });
  expect((await portal("POST", "/events", body, "portal", { ...bindings, DB })).status).toBe(503);
  expect((await portal("POST", "/events", body)).json).toMatchObject({
    status: "completed",
    duplicate: true,
  });
  const { results } = await bindings.DB.prepare(
    "SELECT id FROM events WHERE owner_id = ? AND type = 'file.processed'",
  )
    .bind(owner.owner_id)
    .all<Json>();
  expect(results).toEqual([{ id: "evt_again" }]);
});
