import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import {
  changedFields,
  insertAuditIfChanged,
  newAuditRow,
  recordAudit,
  wasAudited,
} from "../../../src/db/audit.ts";
import { employers } from "../../../src/db/schema.ts";
import { withBrokenGates } from "../../support/faults.ts";
import { accepted, advance, runCron } from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
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
    await orm.batch([insert(), insertAuditIfChanged(orm, newAuditRow({ ...entry, subjectId }))]);
    expect(await trailOf(subjectId)).toHaveLength(1);
    await orm.batch([insert(), insertAuditIfChanged(orm, newAuditRow({ ...entry, subjectId }))]);
    expect(await trailOf(subjectId)).toHaveLength(1);
    const broken = newAuditRow({ ...entry, subjectId: `${subjectId}_2` });
    const failing = orm.batch([
      orm.insert(employers).values({ ...values, id: `${subjectId}_2` }),
      insertAuditIfChanged(orm, broken),
      orm.insert(employers).values(values),
    ]);
    await expect(failing).rejects.toThrow();
    expect(await trailOf(`${subjectId}_2`)).toHaveLength(0);
  });

  it("decide whether the statements that follow them in the batch apply", async () => {
    const orm = drizzle(bindings.DB);
    const values = { id: subjectId, name: "A", created_at: 0, updated_at: 0 };
    for (const name of ["B", "C"]) {
      const row = newAuditRow({ ...entry, subjectId });
      await orm.batch([
        orm.insert(employers).values(values).onConflictDoNothing(),
        insertAuditIfChanged(orm, row),
        orm.update(employers).set({ name }).where(wasAudited(row)),
      ]);
    }
    const { results } = await bindings.DB.prepare("SELECT name FROM employers WHERE id = ?")
      .bind(subjectId)
      .all();
    expect(results).toEqual([{ name: "B" }]);
  });

  it("names only the fields that changed", () => {
    expect(changedFields({ a: 1, b: [1], c: null }, { a: 1, b: [2], c: null })).toEqual({
      before: { b: [1] },
      after: { b: [2] },
    });
  });
});

describe("the audit trail", () => {
  it("lists the changes of a connection with their author and request", async () => {
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
      request_id: patched.headers.get("X-Audit1-Request-Id"),
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

  it("lists a new key, and an employer's old and new grants", async () => {
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

  it("lists every successful change, and none that lost to another", async () => {
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
    const times = (await trailOf(id)).map(({ at }) => at).slice(1);
    expect(times).toEqual(versions.sort((a, b) => a - b));
  });

  it("lists for two concurrent replacements of an employer what each replaced", async () => {
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

  it("omits a change without an effect, and lists a repeated one once", async () => {
    const { id } = await createConnection();
    await portal("PATCH", `/connections/${id}`, { status: "active" });
    const using = withBrokenGates(bindings, "refresh");
    const refused = await portal("PATCH", `/connections/${id}`, { status: "inactive" }, "portal", using);
    expect(refused.status).toBe(503);
    expect((await portal("PATCH", `/connections/${id}`, { status: "inactive" })).status).toBe(200);
    expect((await trailOf(id)).map(({ action }) => action)).toEqual([
      "connection.created",
      "connection.updated",
    ]);
  });
});

describe("GET /audit", () => {
  const read = (query: Json, client = "portal") =>
    portal("GET", `/audit?${new URLSearchParams(query as Record<string, string>)}`, undefined, client);
  const actionsOf = ({ json }: { json: Json }): string[] => json.audit.map(({ action }: Json) => action);

  afterEach(() => {
    vi.useRealTimers();
  });

  it("reads a month back, newest first, page by page, exactly as it was written", async () => {
    const owner = { owner_type: "user", owner_id: "month" };
    const from = new Date();
    const script: string[] = [];
    const nextDay = async (what: string, work: () => Promise<{ status: number }>) => {
      advance(86_400_000);
      expect((await work()).status).toBeLessThan(300);
      script.push(`${new Date().toISOString().slice(0, 10)} ${what}`);
    };
    let id = "";
    for (let round = 0; round < 3; round++) {
      await nextDay("connection.created", async () => {
        const answer = await portal("POST", "/connections", owner);
        id = answer.json.connection.id;
        return answer;
      });
      const change = (fields: Json) => () => portal("PATCH", `/connections/${id}`, fields);
      await nextDay("connection.updated", change({ status: "inactive" }));
      await nextDay("connection.updated", change({ status: "active", plan: "enterprise" }));
      await nextDay("connection.secret_rotated", () =>
        portal("POST", `/connections/${id}/rotate-secret`, {}),
      );
      await nextDay("api_key.created", () =>
        portal("POST", "/api-keys", { ...owner, environment: "sandbox" }),
      );
      await nextDay("connection.updated", change({ environment: "production" }));
      await nextDay("connection.updated", change({ description: `round ${round}` }));
      await nextDay("connection.deleted", () => portal("DELETE", `/connections/${id}?erase=true`));
      await nextDay("connection.deleted", () => portal("DELETE", `/connections/${id}?erase=false`));
      await nextDay("connection.deleted", () => portal("DELETE", `/connections/${id}?erase=true`));
    }
    const listed: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = await read({ ...owner, limit: "7", since: from.toISOString(), ...(cursor && { cursor }) });
      for (const { at, action } of page.json.audit) listed.push(`${at.slice(0, 10)} ${action}`);
      cursor = page.json.next_cursor;
    }
    expect(listed.toReversed()).toEqual(script);
    const late = await read({ ...owner, since: new Date(Date.now() - 2.5 * 86_400_000).toISOString() });
    expect(actionsOf(late)).toEqual(["connection.deleted", "connection.deleted", "connection.deleted"]);
  });

  it("filters by subject and by action", async () => {
    const [one, two] = [await createConnection(), await createConnection()];
    await portal("PATCH", `/connections/${one.id}`, { status: "inactive" });
    await portal("PATCH", `/connections/${two.id}`, { status: "inactive" });
    expect(actionsOf(await read({ subject: `connection:${one.id}` }))).toEqual([
      "connection.updated",
      "connection.created",
    ]);
    const both = await read({ subject: `connection:${one.id}`, action: "connection.created" });
    expect(both.json.audit).toMatchObject([{ subject: { kind: "connection", id: one.id } }]);
    expect(actionsOf(await read({ subject: `api_key:${one.id}` }))).toEqual([]);
  });

  it("finds a subject by either form of its id", async () => {
    const owner = { owner_type: "user", owner_id: newObjectId() };
    const webhook = { ...owner, url: "https://hooks.receiver-audit.com/in", events: ["*"] };
    const { json: hook } = await portal("POST", "/webhooks", webhook);
    const { json: key } = await portal("POST", "/api-keys", { ...owner, environment: "sandbox" });
    for (const id of [hook.webhook.id, hook.webhook._id])
      expect(actionsOf(await read({ subject: `webhook:${id}` }))).toEqual(["webhook.created"]);
    for (const id of [key.apiKey.id, key.apiKey._id])
      expect(actionsOf(await read({ subject: `api_key:${id}` }))).toEqual(["api_key.created"]);
  });

  it("shows a bound client only its owner's rows", async () => {
    const mine = await createConnection();
    const theirs = await createConnection({ owner_id: "someone_else" });
    await createEmployer();
    const { json } = await read({ limit: "100" }, "bound");
    expect(json.audit.length).toBeGreaterThan(0);
    for (const row of json.audit)
      expect(row).toMatchObject({ owner_type: "payroll_company", owner_id: "acme" });
    expect((await read({ subject: `connection:${mine.id}` }, "bound")).json.audit).toHaveLength(1);
    const foreign = await read({ subject: `connection:${theirs.id}` }, "bound");
    const missing = await read({ subject: `connection:${newObjectId()}` }, "bound");
    expect(foreign.json).toEqual(missing.json);
    const named = await read({ owner_type: "payroll_company", owner_id: "someone_else" }, "bound");
    expect(named).toMatchObject({ status: 404, json: { error: "owner_not_found" } });
  });

  it("does not show a person's address to a bound client", async () => {
    const { id } = await createConnection();
    await bindings.DB.prepare("UPDATE audit SET actor = 'access:jane@audit1.example' WHERE subject_id = ?")
      .bind(id)
      .run();
    const actors = async (client: string) =>
      (await read({ subject: `connection:${id}` }, client)).json.audit.map(({ actor }: Json) => actor);
    expect(await actors("portal")).toEqual(["access:jane@audit1.example"]);
    expect(await actors("bound")).toEqual(["access"]);
  });

  it("names the client that requested a replay", async () => {
    const fileId = await accepted(await createBoundConnection());
    await portal("POST", `/files/${fileId}/replay`);
    const { json } = await read({ subject: `file:${fileId}` });
    expect(json.audit).toMatchObject([
      { action: "file.replay_asked", actor: "client:portal", owner_id: "acme" },
    ]);
  });

  it.each([
    [{ subject: "connection" }, "subject"],
    [{ subject: "person:1" }, "subject"],
    [{ action: "created" }, "action"],
    [{ since: "yesterday" }, "since"],
    [{ since: "2026-02-30T00:00:00Z" }, "since"],
    [{ cursor: btoa('["connections",[1,"a"]]') }, "cursor"],
    [{ limit: "1000" }, "limit"],
    [{ before: "x" }, "before"],
  ])("refuses %j by its name", async (query, name) => {
    const answer = await read(query);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toEqual([name]);
  });

  it("deletes rows older than seven years, and no others", async () => {
    const [old, young] = [newObjectId(), newObjectId()];
    const entry = { actor: "system:test", requestId: "r", kind: "employer", what: "x", owner: null } as const;
    const year = 366 * 86_400_000;
    await recordAudit(
      bindings.DB,
      newAuditRow({ ...entry, at: Date.now() - 7 * year - 1_000, subjectId: old, before: null, after: null }),
    );
    await recordAudit(
      bindings.DB,
      newAuditRow({
        ...entry,
        at: Date.now() - 7 * year + 60_000,
        subjectId: young,
        before: null,
        after: null,
      }),
    );
    await runCron();
    expect([(await trailOf(old)).length, (await trailOf(young)).length]).toEqual([0, 1]);
  });
});
