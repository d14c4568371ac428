import { describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { alertsOfEachTest, listAlerts, raiseRingKey } from "../../support/alerts.ts";
import { advance, deliver } from "../../support/forwarding.ts";
import { bindings, createConnection, type Json, portal } from "../../support/gateway.ts";
import { hanging, without } from "../../support/interception.ts";
import { MINUTE_MS, watch, whileCronRuns } from "../../support/watch.ts";

alertsOfEachTest();

describe("GET /alerts", () => {
  it("shows an owner its own alerts, and the portal all", async () => {
    const own = await createConnection();
    const theirs = await createConnection({ owner_type: "payroll_company", owner_id: "other" });
    for (const { id } of [own, theirs])
      await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    await raiseRingKey("test-1");
    await whileCronRuns();
    expect((await listAlerts("", "bound")).map(({ subject }) => subject.id)).toEqual([own.id]);
    expect(await listAlerts()).toHaveLength(3);
    expect(await portal("GET", "/alerts?owner_id=other", undefined, "bound")).toMatchObject({ status: 404 });
  });

  it("filters by status and kind, and pages newest first", async () => {
    for (const id of ["a", "b", "c"]) await raiseRingKey(id);
    await whileCronRuns();
    await deliver([{ file_ids: [] }], bindings, "audit1-files-dead");
    await whileCronRuns(45);
    expect((await listAlerts("?status=open")).map(({ kind }) => kind)).toEqual(["dead_letters"]);
    expect(await listAlerts("?status=resolved")).toHaveLength(3);
    expect(await listAlerts("?kind=dead_letters")).toHaveLength(1);
    expect((await portal("GET", "/alerts?kind=fire")).status).toBe(400);
    const ids: string[] = [];
    for (let cursor = ""; ; ) {
      const { json } = await portal("GET", `/alerts?limit=2${cursor}`);
      ids.push(...json.alerts.map(({ id }: Json) => id));
      if (json.next_cursor === null) break;
      cursor = `&cursor=${json.next_cursor}`;
    }
    expect(ids).toHaveLength(4);
    expect(ids).toEqual(ids.toSorted().reverse());
  });
});

describe("POST /alerts/{id}/acknowledge", () => {
  it("records who did so first, with an audit row, and changes nothing else; the operators replace an owner", async () => {
    const { id: connection } = await createConnection();
    await watch().raise({ kind: "refused_share", subject: `connection:${connection}`, facts: {} });
    await whileCronRuns();
    const [alert] = await listAlerts();
    const first = await portal("POST", `/alerts/${alert?.id}/acknowledge`, {}, "bound");
    expect(first).toMatchObject({
      status: 200,
      json: { alert: { status: "open", acknowledged_by: "owner:client:bound" } },
    });
    advance(MINUTE_MS);
    const acknowledge = async (scope = "", client = "portal") =>
      (await portal("POST", `/alerts/${alert?.id}/acknowledge${scope}`, {}, client)).json.alert;
    expect(await acknowledge("?owner_id=acme")).toEqual(first.json.alert);
    const operators = await acknowledge();
    expect(operators).toMatchObject({ acknowledged_by: "client:portal" });
    expect(operators.acknowledged_at > first.json.alert.acknowledged_at).toBe(true);
    advance(MINUTE_MS);
    expect(await acknowledge()).toEqual(operators);
    expect(await acknowledge("", "bound")).toEqual(operators);
    const { json } = await portal("GET", `/audit?subject=alert:${alert?.id}`);
    expect(json.audit).toMatchObject([
      { action: "alert.acknowledged", actor: "client:portal", owner_id: "acme" },
      { action: "alert.acknowledged", actor: "client:bound", owner_id: "acme" },
    ]);
    await whileCronRuns(22);
    expect(await listAlerts()).toMatchObject([{ status: "resolved", acknowledged_by: "client:portal" }]);
  });

  it("of which the answer was lost is a 503, and a repeat returns it", async () => {
    await raiseRingKey("test-1");
    await whileCronRuns();
    const [alert] = await listAlerts();
    const acknowledge = (using = bindings) =>
      portal("POST", `/alerts/${alert?.id}/acknowledge`, {}, "portal", using);
    expect((await acknowledge(without("DB"))).status).toBe(503);
    expect((await acknowledge(without("WATCH.acknowledge"))).status).toBe(503);
    expect((await listAlerts())[0]).toMatchObject({ acknowledged_by: null });
    expect((await acknowledge(hanging("WATCH.acknowledge", { took: true }))).status).toBe(503);
    expect((await listAlerts())[0]).toMatchObject({ acknowledged_by: "client:portal" });
    expect((await acknowledge()).json.alert).toEqual((await listAlerts())[0]);
  });

  it("does not find alerts of others, of the whole gateway, or unknown ones for an owner", async () => {
    const { id } = await createConnection({ owner_type: "payroll_company", owner_id: "other" });
    await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
    await raiseRingKey("test-1");
    await whileCronRuns();
    const ids = (await listAlerts()).map((alert) => alert.id as string);
    for (const each of [...ids, `alt_${newObjectId().slice(0, 20).toUpperCase()}`, "x"])
      expect((await portal("POST", `/alerts/${each}/acknowledge`, {}, "bound")).status).toBe(404);
    expect((await listAlerts()).map((alert) => alert.acknowledged_at)).toEqual([null, null]);
  });
});
