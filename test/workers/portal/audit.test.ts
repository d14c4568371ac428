import { drizzle } from "drizzle-orm/d1";
import { beforeEach, describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { auditRow, changedFields, tellIfChanged, wasTold } from "../../../src/db/audit.ts";
import { employers } from "../../../src/db/schema.ts";
import { withBrokenGates } from "../../support/faults.ts";
import {
  bindings,
  createApiKey,
  createConnection,
  createEmployer,
  type Json,
  portal,
} from "../../support/gateway.ts";

async function trailOf(subjectId: string): Promise<Json[]> {
  const { results } = await bindings.DB.prepare("SELECT * FROM audit WHERE subject_id = ? ORDER BY id")
    .bind(subjectId)
    .all<Json>();
  return results.map((row) => ({ ...row, before: JSON.parse(row.before), after: JSON.parse(row.after) }));
}

describe("a change and its audit row", () => {
  const entry = {
    at: 1_000,
    actor: "client:test",
    requestId: "req_1",
    kind: "employer",
    what: "updated",
    owner: null,
    before: null,
    after: { name: "A" },
  } as const;
  let subjectId = "";

  beforeEach(() => {
    subjectId = newObjectId();
  });

  it("are written together, and neither without the other", async () => {
    const orm = drizzle(bindings.DB);
    const values = { id: subjectId, name: "A", created_at: 0, updated_at: 0 };
    const insert = () => orm.insert(employers).values(values).onConflictDoNothing();
    await orm.batch([insert(), tellIfChanged(orm, auditRow({ ...entry, subjectId }))]);
    expect(await trailOf(subjectId)).toHaveLength(1);
    await orm.batch([insert(), tellIfChanged(orm, auditRow({ ...entry, subjectId }))]);
    expect(await trailOf(subjectId)).toHaveLength(1);
    const broken = auditRow({ ...entry, subjectId: `${subjectId}_2` });
    const failing = orm.batch([
      orm.insert(employers).values({ ...values, id: `${subjectId}_2` }),
      tellIfChanged(orm, broken),
      orm.insert(employers).values(values),
    ]);
    await expect(failing).rejects.toThrow();
    expect(await trailOf(`${subjectId}_2`)).toHaveLength(0);
  });

  it("carry the statements that follow them in the batch, or not", async () => {
    const orm = drizzle(bindings.DB);
    const values = { id: subjectId, name: "A", created_at: 0, updated_at: 0 };
    for (const name of ["B", "C"]) {
      const row = auditRow({ ...entry, subjectId });
      await orm.batch([
        orm.insert(employers).values(values).onConflictDoNothing(),
        tellIfChanged(orm, row),
        orm.update(employers).set({ name }).where(wasTold(row)),
      ]);
    }
    const { results } = await bindings.DB.prepare("SELECT name FROM employers WHERE id = ?")
      .bind(subjectId)
      .all();
    expect(results).toEqual([{ name: "B" }]);
  });

  it("tells the fields that changed and no others", () => {
    expect(changedFields({ a: 1, b: [1], c: null }, { a: 1, b: [2], c: null })).toEqual({
      before: { b: [1] },
      after: { b: [2] },
    });
  });
});

describe("the audit trail", () => {
  it("tells of a connection what was done to it, by whom and in which request", async () => {
    const { id } = await createConnection({ owner_id: "trail" });
    const patched = await portal("PATCH", `/connections/${id}`, { status: "inactive" });
    await portal("POST", `/connections/${id}/rotate-secret`, { overlap_seconds: 0 });
    const trail = await trailOf(id);
    expect(trail.map(({ action }) => action)).toEqual([
      "connection.created",
      "connection.updated",
      "connection.secret_rotated",
    ]);
    expect(trail[0]).toMatchObject({
      actor: "client:portal",
      owner_type: "payroll_company",
      owner_id: "trail",
      before: null,
      after: { status: "active", plan: "production" },
    });
    expect(trail[1]).toMatchObject({
      request_id: patched.headers.get("X-Request-Id"),
      before: { status: "active" },
      after: { status: "inactive" },
    });
    expect(Object.keys(trail[2]?.after)).toEqual(["secrets"]);
  });

  it("holds no secret and no sealed value", async () => {
    const { id, secret } = await createConnection();
    const { json } = await portal("POST", `/connections/${id}/rotate-secret`, {});
    const row = await bindings.DB.prepare("SELECT secrets, data_key FROM connections WHERE id = ?")
      .bind(id)
      .first<{ secrets: string; data_key: string }>();
    const trail = JSON.stringify(await trailOf(id));
    const sealed = JSON.parse(row?.secrets ?? "").map((each: Json) => each.sealed);
    expect(sealed).toHaveLength(2);
    for (const value of [secret, json.secret, row?.data_key, ...sealed]) expect(trail).not.toContain(value);
  });

  it("tells of a new key and of an employer's old and new grants", async () => {
    const key = await createApiKey();
    expect(await trailOf(key.id)).toMatchObject([
      { action: "api_key.created", after: { environment: "production" } },
    ]);
    const { id, fein } = await createEmployer();
    await portal("PUT", `/employers/${id}`, { fein, name: "Test Employer", owners: [] });
    expect(await trailOf(id)).toMatchObject([
      { action: "employer.created", before: null },
      {
        action: "employer.updated",
        before: { owners: [{ owner_type: "payroll_company", owner_id: "acme" }] },
        after: { owners: [] },
      },
    ]);
  });

  it("tells of every change that was answered, and of none that lost against another", async () => {
    const { id } = await createConnection();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        portal("POST", `/connections/${id}/rotate-secret`, { overlap_seconds: 0 }),
      ),
    );
    const versions = answers
      .filter(({ status }) => status === 200)
      .map(({ json }) => json.connection.version);
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const told = (await trailOf(id)).map(({ at }) => at).slice(1);
    expect(told).toEqual(versions.sort((a, b) => a - b));
  });

  it("of two replacements of an employer at once, tells what each found", async () => {
    const { id } = await createEmployer();
    const names = ["One", "Two", "Three"];
    const answers = await Promise.all(names.map((name) => portal("PUT", `/employers/${id}`, { name })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const [created, ...updates] = await trailOf(id);
    let name = created?.after.name;
    for (const { before, after } of updates) {
      expect(before.name).toBe(name);
      name = after.name;
    }
    expect(updates).toHaveLength(3);
  });

  it("says nothing of a change that changes nothing, and of one that is repeated says it once", async () => {
    const { id } = await createConnection();
    await portal("PATCH", `/connections/${id}`, { status: "active" });
    const using = withBrokenGates(bindings, "refresh");
    const untold = await portal("PATCH", `/connections/${id}`, { status: "inactive" }, "portal", using);
    expect(untold.status).toBe(503);
    expect((await portal("PATCH", `/connections/${id}`, { status: "inactive" })).status).toBe(200);
    expect((await trailOf(id)).map(({ action }) => action)).toEqual([
      "connection.created",
      "connection.updated",
    ]);
  });
});
