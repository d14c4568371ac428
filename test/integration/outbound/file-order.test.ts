/** Events of one file are stored in the file's order, for its owner and for its employer, whatever fails on the way. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import {
  accepted,
  advance,
  creatorThat,
  deliver,
  deliverFiles,
  gateOfFile,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import { bindings, createConnection, type Json, portal } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { catchEndpointWakeUps, receiver, storeWebhook, wake } from "../../support/outbound.ts";

const wakeUps = wakeUpsOfEachTest();
let owners = 0;

beforeEach(() => {
  catchEndpointWakeUps();
});

/** A connection that reports for an employer of its own. Its environment is that of the webhooks of these tests. */
async function fresh() {
  const n = ++owners;
  const owner = { owner_type: "payroll_company" as const, owner_id: `order-${n}` };
  const employer = { owner_type: "employer" as const, owner_id: `EMP_order_${n}` };
  const connection = await createConnection({
    ...owner,
    employer_id: employer.owner_id,
    environment: "production",
  });
  return { owner, employer, connection };
}

/** Stores an owner's events only while `allows` says so of the statement's parameters. */
function withD1That(allows: (parameters: unknown[]) => boolean): Bindings {
  const DB = new Proxy(bindings.DB, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== "prepare") return typeof value === "function" ? value.bind(target) : value;
      return (query: string) => {
        const statement = target.prepare(query);
        if (!query.startsWith("INSERT INTO events")) return statement;
        return new Proxy(statement, {
          get(of, method) {
            const member: unknown = Reflect.get(of, method, of);
            if (method !== "bind") return typeof member === "function" ? member.bind(of) : member;
            return (...parameters: unknown[]) => {
              if (!allows(parameters)) throw new Error("D1_ERROR: away");
              return of.bind(...parameters);
            };
          },
        });
      };
    },
  });
  return { ...bindings, DB };
}

const without = (...types: string[]) =>
  withD1That((parameters) => !parameters.some((each) => types.includes(String(each))));

const report = (fileId: string, type: string, id = `evt_${type.slice(5)}_it`, using?: Bindings) =>
  portal("POST", "/events", { id, type, data: { fileId } }, "portal", using);

async function storedOf({ owner_type, owner_id }: Json): Promise<Json[]> {
  const query = new URLSearchParams({ owner_type, owner_id, environment: "production" });
  return (await portal("GET", `/events?${query}`)).json.events;
}
const typesOf = async (owner: Json) => (await storedOf(owner)).map(({ type }) => type);

const INTO_PRODUCTION = ["file.uploaded", "file.validated", "file.processed"];

describe("a file's events", () => {
  it("wait for the event of the file's upload: a report is a 503 until it is stored", async () => {
    const { owner, connection } = await fresh();
    await storeWebhook({ ...owner, events: ["file.*"] });
    const fileId = await accepted(connection);
    await deliverFiles([fileId], { ...creatorThat().using, DB: without("file.uploaded").DB });
    expect(await typesOf(owner)).toEqual([]);
    const early = await report(fileId, "file.processed", undefined, without("file.uploaded"));
    expect(early).toMatchObject({ status: 503, json: { code: "SERVICE_UNAVAILABLE" } });
    expect(await typesOf(owner)).toEqual([]);
    expect((await report(fileId, "file.processed")).json).toMatchObject({
      duplicate: true,
      status: "completed",
    });
    expect(await typesOf(owner)).toEqual(["file.uploaded", "file.processed"]);
  });

  it("are stored by a report that finds them owed", async () => {
    const { owner, connection } = await fresh();
    await storeWebhook({ ...owner, events: ["file.*"] });
    const fileId = await accepted(connection);
    await deliverFiles([fileId], { ...creatorThat().using, DB: without("file.uploaded").DB });
    expect((await report(fileId, "file.validated")).status).toBe(202);
    expect(await typesOf(owner)).toEqual(["file.uploaded", "file.validated"]);
  });

  it.each([true, false])(
    "wait for an earlier report that was not stored (file handed over: %s)",
    async (handedOver) => {
      const { owner, connection } = await fresh();
      await storeWebhook({ ...owner, events: ["file.*"] });
      const fileId = await accepted(connection);
      if (handedOver) await deliverFiles([fileId], creatorThat().using);
      const away = without("file.validated");
      expect((await report(fileId, "file.validated", undefined, away)).status).toBe(503);
      expect((await report(fileId, "file.processed")).status).toBe(503);
      expect((await report(fileId, "file.validated")).status).toBe(202);
      expect((await report(fileId, "file.processed")).status).toBe(202);
      const events = await storedOf(owner);
      expect(events.map(({ type }) => type)).toEqual(INTO_PRODUCTION);
      const sequences = events.map(({ metadata }) => metadata.sequence);
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    },
  );

  it("do not wait for ever: after ten minutes an earlier one is given up on, and out of date when it arrives", async () => {
    const { owner, connection } = await fresh();
    await storeWebhook({ ...owner, events: ["file.*"] });
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat().using);
    expect((await report(fileId, "file.validated", undefined, without("file.validated"))).status).toBe(503);
    advance(600_001);
    expect((await report(fileId, "file.processed")).status).toBe(202);
    expect((await report(fileId, "file.validated")).status).toBe(202);
    expect(await typesOf(owner)).toEqual(["file.uploaded", "file.processed"]);
  });

  it("do not wait for one without subscribers when it was reported", async () => {
    const { owner, connection } = await fresh();
    const hook = await storeWebhook({ ...owner, events: ["file.processed"] });
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat().using);
    expect((await report(fileId, "file.validated")).status).toBe(202);
    advance(1_000);
    await portal("PATCH", `/webhooks/${hook.id}`, { events: ["file.*"] });
    expect((await report(fileId, "file.processed")).status).toBe(202);
    expect(await typesOf(owner)).toEqual(["file.processed"]);
  });

  it("end with the final status: a later validation is outdated", async () => {
    const { owner, connection } = await fresh();
    await storeWebhook({ ...owner, events: ["file.*"] });
    const fileId = await accepted(connection);
    await report(fileId, "file.processed");
    expect((await report(fileId, "file.validated")).json).toMatchObject({
      success: true,
      status: "completed",
    });
    expect(await typesOf(owner)).toEqual(["file.uploaded", "file.processed"]);
  });

  it("are in order although they arrive concurrently", async () => {
    for (let i = 0; i < 5; i++) {
      const { owner, connection } = await fresh();
      await storeWebhook({ ...owner, events: ["file.*"] });
      const fileId = await accepted(connection);
      const { using } = creatorThat();
      const repeated = async (type: string) => {
        while ((await report(fileId, type)).status === 503) await scheduler.wait(5);
      };
      await Promise.all([
        deliverFiles([fileId], using),
        repeated("file.validated"),
        repeated("file.processed"),
      ]);
      const types = await typesOf(owner);
      expect(types).toEqual(INTO_PRODUCTION.filter((type) => types.includes(type)));
      expect(types).toContain("file.processed");
    }
  });

  it("in its gate's outbox are published in order", async () => {
    const { owner, connection } = await fresh();
    await storeWebhook({ ...owner, events: ["file.*"] });
    const fileId = await accepted(connection);
    const away = without("file.uploaded", "file.failed").DB;
    await deliverFiles([fileId], {
      ...creatorThat(() => new Response(null, { status: 503 })).using,
      DB: away,
    });
    advance(3_600_000);
    await deliverFiles([fileId], {
      ...creatorThat(() => new Response(null, { status: 422 })).using,
      DB: away,
    });
    expect(await typesOf(owner)).toEqual([]);
    advance(3_600_000);
    wakeUps.length = 0;
    await runDurableObjectAlarm(gateOfFile(fileId));
    await deliver(wakeUps);
    expect(await typesOf(owner)).toEqual(["file.uploaded", "file.failed"]);
  });
});

describe("a file's employer", () => {
  it("receives the file's events as its owner does, under the same ids, in an order of its own", async () => {
    const { owner, employer, connection } = await fresh();
    const hooks = [
      await storeWebhook({ ...owner, events: ["file.*"] }),
      await storeWebhook({ ...employer, events: ["*"] }),
    ];
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat().using);
    await report(fileId, "file.validated");
    await report(fileId, "file.processed");
    const [ofOwner, ofEmployer] = [await storedOf(owner), await storedOf(employer)];
    expect(ofEmployer.map(({ type }) => type)).toEqual(INTO_PRODUCTION);
    const plain = ({ id, type, data, created_at }: Json) => ({ id, type, data, created_at });
    expect(ofEmployer.map(plain)).toEqual(ofOwner.map(plain));
    const sequences = ofEmployer.map(({ metadata }) => metadata.sequence);
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    const { calls } = receiver();
    await wake(...hooks);
    for (const hook of hooks)
      expect(calls.filter(({ webhook }) => webhook === hook.id).map(({ body }) => body.type)).toEqual(
        INTO_PRODUCTION,
      );
  });

  it("receives them although the owner has no subscription", async () => {
    const { owner, employer, connection } = await fresh();
    await storeWebhook({ ...employer, events: ["file.*"] });
    const fileId = await accepted(connection);
    await report(fileId, "file.processed");
    await deliverFiles([fileId], creatorThat().using);
    expect(await typesOf(employer)).toEqual(["file.uploaded", "file.processed"]);
    expect(await typesOf(owner)).toEqual([]);
  });

  it("receives each event once if it is the owner itself", async () => {
    const { employer } = await fresh();
    const connection = await createConnection({
      ...employer,
      employer_id: employer.owner_id,
      environment: "production",
    });
    const hook = await storeWebhook({ ...employer, events: ["file.*"] });
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat().using);
    await report(fileId, "file.processed");
    expect(await typesOf(employer)).toEqual(["file.uploaded", "file.processed"]);
    const { calls } = receiver();
    await wake(hook);
    expect(calls).toHaveLength(2);
  });

  it("receives no other employer's files, and none of the other environment", async () => {
    const { employer, connection, owner } = await fresh();
    await storeWebhook({ ...owner, events: ["file.*"] });
    await storeWebhook({ ...employer, events: ["file.*"], environment: "sandbox" });
    const stranger = { ...employer, owner_id: `${employer.owner_id}_other` };
    await storeWebhook({ ...stranger, events: ["file.*"] });
    const sameId = { ...employer, owner_type: "software_company" as const };
    await storeWebhook({ ...sameId, events: ["file.*"] });
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat().using);
    await report(fileId, "file.processed");
    expect(await typesOf(owner)).toHaveLength(2);
    for (const each of [employer, stranger, sameId]) expect(await typesOf(each)).toEqual([]);
  });

  it("receives an event that could not be stored at first, once it can be stored", async () => {
    const { owner, employer, connection } = await fresh();
    await storeWebhook({ ...owner, events: ["file.*"] });
    await storeWebhook({ ...employer, events: ["file.*"] });
    const fileId = await accepted(connection);
    const away = withD1That((parameters) => !parameters.includes(employer.owner_id));
    await deliverFiles([fileId], { ...creatorThat().using, DB: away.DB });
    expect(await typesOf(owner)).toEqual(["file.uploaded"]);
    expect((await report(fileId, "file.processed", undefined, away)).status).toBe(503);
    expect(await typesOf(employer)).toEqual([]);
    expect((await report(fileId, "file.processed")).status).toBe(202);
    expect(await typesOf(owner)).toEqual(["file.uploaded", "file.processed"]);
    expect(await typesOf(employer)).toEqual(["file.uploaded", "file.processed"]);
  });

  it("costs a file nothing if it has no webhook", async () => {
    const { connection } = await fresh();
    const fileId = await accepted(connection);
    let writes = 0;
    const counting = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call.startsWith("DB."))
        for (const each of [answer].flat() as Partial<D1Result>[]) writes += each?.meta?.rows_written ?? 0;
      return answer;
    }, creatorThat().using);
    await deliverFiles([fileId], counting);
    expect(writes).toBe(0);
  });
});
