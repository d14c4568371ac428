import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import {
  accepted,
  advance,
  answering,
  creatorThat,
  deliver,
  deliverFiles,
  gateOfFile,
  recordOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import { bindings, createBoundConnection, type Json } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { catchEndpointWakeUps, deliveriesOf, storeWebhook } from "../../support/outbound.ts";

const wakeUps = wakeUpsOfEachTest();
let woken: { quick: string[]; slow: string[] };
let owners = 0;

beforeEach(() => {
  woken = catchEndpointWakeUps();
});

/** An owner with a connection, and with a webhook where `events` are given. */
async function ownerWith(events: string[] | null) {
  const owner = { owner_type: "payroll_company" as const, owner_id: `files-${++owners}` };
  const connection = await createBoundConnection(owner);
  const hook = events === null ? null : await storeWebhook({ ...owner, events });
  return { ...owner, connection, hook };
}

async function eventsOf({ owner_id }: { owner_id: string }): Promise<Json[]> {
  const { results } = await bindings.DB.prepare("SELECT * FROM events WHERE owner_id = ? ORDER BY seq")
    .bind(owner_id)
    .all<Json>();
  return results;
}

function owedBy(fileId: string): Promise<unknown[]> {
  return runInDurableObject(gateOfFile(fileId), (_gate, { storage }) =>
    storage.sql
      .exec("SELECT type FROM owed")
      .toArray()
      .map(({ type }) => type),
  );
}

const refused = () => new Response(null, { status: 422 });

describe("a file that is handed over", () => {
  it("is published to its owner's webhooks, once", async () => {
    const owner = await ownerWith(["file.*"]);
    const fileId = await accepted(owner.connection);
    await deliverFiles([fileId], creatorThat().using);
    await deliverFiles([fileId], creatorThat().using);
    expect((await eventsOf(owner)).map(({ id, type }) => [id, type])).toEqual([
      [`evt_uploaded_${fileId}_1`, "file.uploaded"],
    ]);
    expect(woken.quick).toEqual([owner.hook?.id]);
    expect(await deliveriesOf({ id: owner.hook?.id ?? "" })).toHaveLength(1);
    expect(await owedBy(fileId)).toEqual([]);
  });

  it("is published when it is first deferred, and not again when it is accepted", async () => {
    const owner = await ownerWith(["file.uploaded"]);
    const fileId = await accepted(owner.connection);
    const { using } = creatorThat(answering(503));
    await deliverFiles([fileId], using);
    expect(await eventsOf(owner)).toHaveLength(1);
    await deliverFiles([fileId], using);
    expect((await recordOf(fileId)).status).toBe("processing");
    expect(await eventsOf(owner)).toHaveLength(1);
  });

  it("stores nothing if its owner has not subscribed to events of files", async () => {
    for (const events of [null, ["policy.created"]]) {
      const owner = await ownerWith(events);
      const fileId = await accepted(owner.connection);
      let writes = 0;
      const { using } = creatorThat();
      const counting = intercepted(async (call, proceed) => {
        const answer = await proceed();
        if (call.startsWith("DB."))
          for (const each of [answer].flat() as Partial<D1Result>[]) writes += each?.meta?.rows_written ?? 0;
        return answer;
      }, using);
      await deliverFiles([fileId], counting);
      expect(writes).toBe(0);
      expect(await eventsOf(owner)).toEqual([]);
      expect(await owedBy(fileId)).toEqual([]);
    }
  });

  it("is kept for a webhook that is disabled, and sent to none", async () => {
    const owner = await ownerWith(null);
    const hook = await storeWebhook({
      owner_type: owner.owner_type,
      owner_id: owner.owner_id,
      status: "disabled",
    });
    const fileId = await accepted(owner.connection);
    await deliverFiles([fileId], creatorThat().using);
    expect(await eventsOf(owner)).toHaveLength(1);
    expect(await deliveriesOf(hook)).toMatchObject([{ status: "skipped", attempts: 0 }]);
  });
});

describe("a file that is refused", () => {
  it("is published as failed, and not as uploaded", async () => {
    const owner = await ownerWith(["*"]);
    const fileId = await accepted(owner.connection);
    await deliverFiles([fileId], creatorThat(refused).using);
    expect((await eventsOf(owner)).map(({ id }) => id)).toEqual([`evt_failed_${fileId}_1`]);
  });
});

describe("an event that could not be published", () => {
  /** D1 does not answer the queries of fan-out and of the subscriber look-up. */
  const withoutD1 = (using = creatorThat().using) =>
    intercepted(
      (call, proceed) => (call.startsWith("DB.") ? Promise.reject(new Error("D1 is away")) : proceed()),
      using,
    );

  it("delays no file, stays in the gate's outbox, and is published when D1 is back", async () => {
    const owner = await ownerWith(["file.*"]);
    const fileId = await accepted(owner.connection);
    await deliverFiles([fileId], withoutD1());
    expect((await recordOf(fileId)).status).toBe("processing");
    expect(await eventsOf(owner)).toEqual([]);
    expect(await owedBy(fileId)).toEqual(["file.uploaded"]);
    advance(61_000);
    wakeUps.length = 0;
    await runDurableObjectAlarm(gateOfFile(fileId));
    expect(wakeUps.flatMap(({ file_ids }) => file_ids)).toContain(fileId);
    await deliver(wakeUps);
    expect(await eventsOf(owner)).toHaveLength(1);
    expect(await owedBy(fileId)).toEqual([]);
  });

  it("is dropped if there turns out to be no subscriber", async () => {
    const owner = await ownerWith(null);
    const fileId = await accepted(owner.connection);
    await deliverFiles([fileId], withoutD1());
    expect(await owedBy(fileId)).toEqual(["file.uploaded"]);
    await deliverFiles([fileId], creatorThat().using);
    expect(await owedBy(fileId)).toEqual([]);
    expect(await eventsOf(owner)).toEqual([]);
  });

  it.each(["markPublished", "settle"])("is published once if the response to %s is lost", async (method) => {
    const owner = await ownerWith(["file.*"]);
    const fileId = await accepted(owner.connection);
    let lost = false;
    const using = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call !== `CONNECTION_GATE.${method}` || lost) return answer;
      lost = true;
      throw new Error("the answer was lost");
    }, creatorThat().using);
    await deliverFiles([fileId], using);
    expect(lost).toBe(true);
    advance(61_000);
    wakeUps.length = 0;
    await runDurableObjectAlarm(gateOfFile(fileId));
    await deliver(wakeUps);
    expect(await eventsOf(owner)).toHaveLength(1);
    expect(await owedBy(fileId)).toEqual([]);
  });
});
