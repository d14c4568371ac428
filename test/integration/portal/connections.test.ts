import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { withBrokenGates } from "../../support/faults.ts";
import { accepted, catchWakeUps, creatorThat, deliverFiles, runCron } from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  createEmployer,
  fileStatus,
  type Json,
  portal,
  post,
  report,
  send,
} from "../../support/gateway.ts";

beforeEach(() => {
  catchWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

let owners = 0;
const newOwner = () => ({ owner_type: "software_company", owner_id: `owner_${++owners}` });
const patch = (id: string, body: Json, client = "portal", using?: Bindings) =>
  portal("PATCH", `/connections/${id}`, body, client, using);
const remove = (id: string, query = "", client = "portal", using?: Bindings) =>
  portal("DELETE", `/connections/${id}${query}`, undefined, client, using);
const list = (query: Json, client = "portal") =>
  portal("GET", `/connections?${new URLSearchParams(query as Record<string, string>)}`, undefined, client);
const ids = ({ json }: { json: Json }): string[] => json.connections.map(({ id }: Json) => id);

/** Every page of a list, one after the other. */
async function pagesOf(query: Json): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: { status: number; json: Json } = await list({ ...query, ...(cursor && { cursor }) });
    expect(page.status).toBe(200);
    pages.push(ids(page));
    cursor = page.json.next_cursor;
  }
  return pages;
}

describe("GET /connections", () => {
  it("lists only an owner's connections, newest first, page by page", async () => {
    const owner = newOwner();
    await createConnection(newOwner());
    const made: string[] = [];
    for (let i = 0; i < 5; i++) {
      made.push((await createConnection(owner)).id);
      await scheduler.wait(2);
    }
    const newest = made.reverse();
    expect(await pagesOf({ ...owner, limit: "2" })).toEqual([
      newest.slice(0, 2),
      newest.slice(2, 4),
      newest.slice(4),
    ]);
    expect(await pagesOf({ ...owner, limit: "5" })).toEqual([newest]);
    expect(await pagesOf(newOwner())).toEqual([[]]);
  });

  it("filters by status, environment and type", async () => {
    const owner = newOwner();
    const [live, off, sandbox, other] = await Promise.all([
      createConnection(owner),
      createConnection(owner),
      createConnection({ ...owner, environment: "sandbox" }),
      createConnection({ ...owner, type: "sftp" }),
    ]);
    await patch(off.id, { status: "inactive" });
    const found = async (filter: Json) => ids(await list({ ...owner, ...filter })).sort();
    expect(await found({ status: "inactive" })).toEqual([off.id]);
    expect(await found({ environment: "sandbox" })).toEqual([sandbox.id]);
    expect(await found({ type: "sftp" })).toEqual([other.id]);
    expect(await found({ status: "active", environment: "production", type: "webhook" })).toEqual([live.id]);
  });

  it("counts what matches on the first page, and finds the connections of an employer", async () => {
    const owner = newOwner();
    const bound = await createBoundConnection(owner);
    const off = await createConnection(owner);
    await createConnection(owner);
    await remove((await createConnection(owner)).id);
    await patch(off.id, { status: "inactive" });
    const first = await list({ ...owner, limit: "2" });
    expect(first.json.count).toBe(3);
    expect((await list({ ...owner, limit: "2", cursor: first.json.next_cursor })).json.count).toBeNull();
    const found = await list({ ...owner, employer_id: bound.employerId });
    expect([ids(found), found.json.count]).toEqual([[bound.id], 1]);
    expect((await list({ ...owner, status: "active" })).json.count).toBe(2);
    expect((await list(newOwner())).json.count).toBe(0);
  });

  it("says when each last accepted a report, if it is asked, and leaves out what a gate does not say", async () => {
    const owner = newOwner();
    const silent = await createBoundConnection(owner);
    const used = await createBoundConnection(owner);
    const received = (await post(used)).json.received_at;
    const lastOf = ({ json }: { json: Json }) =>
      json.connections.map(({ id, last_report_at: at }: Json) => [id, at]);
    expect(lastOf(await list({ ...owner, include: "activity" }))).toEqual([
      [used.id, received],
      [silent.id, null],
    ]);
    expect(JSON.stringify(await list(owner))).not.toContain("last_report_at");
    const { json } = await portal("GET", `/connections/${used.id}?include=activity`);
    expect(json.connection.last_report_at).toBe(received);
    const query = new URLSearchParams({ ...owner, include: "activity" });
    const broken = await portal(
      "GET",
      `/connections?${query}`,
      undefined,
      "portal",
      withBrokenGates(bindings, "activity"),
    );
    expect(broken.status).toBe(200);
    expect(ids(broken)).toEqual([used.id, silent.id]);
    expect(JSON.stringify(broken.json)).not.toContain("last_report_at");
  });

  it("shows no secret, and none that are deleted", async () => {
    const owner = newOwner();
    const { secret } = await createConnection(owner);
    const deleted = await createConnection(owner);
    await remove(deleted.id);
    const answer = await list(owner);
    expect(ids(answer)).not.toContain(deleted.id);
    const row = await bindings.DB.prepare("SELECT data_key FROM connections WHERE owner_id = ?")
      .bind(owner.owner_id)
      .first<{ data_key: string }>();
    for (const hidden of [secret, row?.data_key, "sealed", "gate_version"])
      expect(JSON.stringify(answer.json)).not.toContain(hidden);
  });

  it("requires an owner from the portal itself, and defaults to a bound client's owner", async () => {
    expect(await list({})).toMatchObject({ status: 400, json: { error: "owner_id_required" } });
    expect(await list({ owner_id: "acme" })).toMatchObject({
      status: 400,
      json: { error: "owner_type_required" },
    });
    const { id } = await createConnection();
    expect(ids(await list({}, "bound"))).toContain(id);
    expect(await list(newOwner(), "bound")).toMatchObject({
      status: 404,
      json: { error: "owner_not_found" },
    });
  });

  it.each([
    [{ limit: "0" }, "limit"],
    [{ limit: "101" }, "limit"],
    [{ limit: "x" }, "limit"],
    [{ status: "deleted" }, "status"],
    [{ environment: "test" }, "environment"],
    [{ type: "No Word" }, "type"],
    [{ page: "2" }, "page"],
    [{ cursor: "" }, "cursor"],
    [{ cursor: "zzz" }, "cursor"],
    [{ cursor: btoa('["audit","aud_1"]') }, "cursor"],
    [{ cursor: btoa('["connections",["x",1]]') }, "cursor"],
    [{ cursor: "A".repeat(600) }, "cursor"],
  ])("refuses %j by its name", async (query, name) => {
    const answer = await list({ ...newOwner(), ...query });
    expect(answer).toMatchObject({ status: 400, json: { error: "Validation Error" } });
    expect(Object.keys(answer.json.details)).toEqual([name]);
  });
});

describe("with 100 000 connections of one owner", () => {
  const owner = newOwner();

  beforeEach(async () => {
    await bindings.DB.prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
       INSERT OR IGNORE INTO connections (id, type, owner_type, owner_id, status, plan, environment, secrets, data_key,
         version, gate_version, created_at, updated_at)
       SELECT printf('%024x', i), 'webhook', ?1, ?2, iif(i = 50, 'inactive', 'active'), 'sandbox', 'sandbox', '[]', 'k',
         1, 1, i / 10, 1 FROM n`,
    )
      .bind(owner.owner_type, owner.owner_id)
      .run();
  });

  it("a page reads as many rows at the end as at the beginning, and a rare filter ends in time", async () => {
    const read: number[] = [];
    const counting = new Proxy(bindings.DB, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "batch") return value.bind(target);
        return async (statements: D1PreparedStatement[]) => {
          const results = await target.batch(statements);
          read.push(results.reduce((sum, { meta }) => sum + meta.rows_read, 0));
          return results;
        };
      },
    });
    const using = { ...bindings, DB: counting };
    const page = async (query: Json) => {
      const path = `/connections?${new URLSearchParams({ ...owner, ...query })}`;
      return portal("GET", path, undefined, "portal", using);
    };
    const first = await page({});
    const cursor = btoa(JSON.stringify(["connections", [3, `${"0".repeat(22)}1e`]]));
    const last = await page({ cursor });
    expect(ids(first)).toHaveLength(20);
    expect(ids(last)).toHaveLength(20);
    expect([first.json.count, last.json.count]).toEqual(["1000+", null]);
    const rare = await page({ status: "inactive" });
    expect(rare.json.count).toBe("0+");
    expect(rare.json).toMatchObject({ connections: [], next_cursor: expect.any(String) });
    for (const rows of read) expect(rows).toBeLessThan(5_000);
    const found = await pagesOf({ ...owner, status: "inactive" });
    expect(found.flat()).toEqual([`${"0".repeat(22)}32`]);
    // A thousand rows per page, and one more to learn whether the list ends.
    expect(found.length).toBeLessThanOrEqual(101);
  });
});

describe("PATCH /connections/{id} of", () => {
  it("every setting is shown and takes effect before the response", async () => {
    const connection = await createConnection({ same_body: "deduplicate" });
    const [first, second] = await Promise.all([createEmployer(), createEmployer()]);
    await patch(connection.id, { employer_id: first.id });
    const body = report();
    expect((await post(connection, body)).json).toMatchObject({ employer_id: first.id, duplicate: false });
    const settings = {
      employer_id: second.id,
      plan: "enterprise",
      environment: "sandbox",
      default_wait_seconds: 0,
      same_body: "accept",
      retention_years: 3,
      description: "The new one",
    };
    const answer = await patch(connection.id, settings);
    expect(answer).toMatchObject({ status: 200, json: { success: true, connection: settings } });
    const again = await post(connection, body);
    expect(again.json).toMatchObject({ employer_id: second.id, duplicate: false });
    expect(again.headers.get("X-RateLimit-Limit")).toBe("2000");
    expect((await portal("GET", `/connections/${connection.id}`)).json.connection).toMatchObject(settings);
    expect(
      (await patch(connection.id, { employer_id: null, description: null })).json.connection,
    ).toMatchObject({
      employer_id: null,
      description: null,
      plan: "enterprise",
    });
  });

  it("the environment does not move earlier files, for the files-creator and for keys", async () => {
    const connection = await createBoundConnection({ environment: "sandbox" });
    const test = await createApiKey({ environment: "sandbox" });
    const live = await createApiKey({ environment: "production" });
    const before = await accepted(connection);
    expect((await patch(connection.id, { environment: "production" })).status).toBe(200);
    const after = await accepted(connection);
    const { received, using } = creatorThat();
    await deliverFiles([before, after], using);
    const environments = received.map(({ fileId, headers }) => [fileId, headers.get("X-Audit1-Environment")]);
    expect(new Map(environments as [string, string][])).toEqual(
      new Map([
        [before, "sandbox"],
        [after, "production"],
      ]),
    );
    const statuses = async (fileId: string) =>
      Promise.all([test, live].map(async ({ token }) => (await fileStatus(token, fileId)).status));
    expect([await statuses(before), await statuses(after)]).toEqual([
      [200, 404],
      [404, 200],
    ]);
    const headers = { Authorization: `Bearer ${live.token}` };
    const listed = await send(`/api/v1/files?connection_id=${connection.id}`, { headers });
    expect(listed.json.files.map(({ file_id }: Json) => file_id)).toEqual([after]);
  });

  it("an employer is refused unless it is granted to the connection's owner", async () => {
    const { id } = await createConnection();
    const theirs = await createEmployer([{ owner_type: "payroll_company", owner_id: "other" }]);
    for (const employer_id of [theirs.id, "EMP_unknown"]) {
      expect(await patch(id, { employer_id })).toMatchObject({
        status: 404,
        json: { error: "employer_not_found" },
      });
    }
    expect((await portal("GET", `/connections/${id}`)).json.connection.employer_id).toBeNull();
  });

  it("the plan is the portal's own to choose", async () => {
    const { id } = await createConnection();
    expect(await patch(id, { plan: "enterprise" }, "bound")).toMatchObject({
      status: 400,
      json: { details: { plan: expect.any(String) } },
    });
    expect((await patch(id, { description: "mine" }, "bound")).status).toBe(200);
  });
});

describe("If-Match", () => {
  const conditional = (id: string, match: string, body: Json) =>
    send(`/api/v1/connections/${id}`, {
      method: "PATCH",
      headers: {
        "X-Client-ID": "portal",
        "X-Client-Secret": "portal-secret",
        "Content-Type": "application/json",
        "If-Match": match,
      },
      body: JSON.stringify(body),
    });

  it("admits a change of the version that it names, once", async () => {
    const { id } = await createConnection();
    const read = await portal("GET", `/connections/${id}`);
    const etag = read.headers.get("ETag") ?? "";
    expect(etag).toBe(`"${read.json.connection.version}"`);
    const changed = await conditional(id, etag, { description: "first" });
    expect(changed.status).toBe(200);
    const refused = await conditional(id, etag, { description: "second" });
    expect(refused).toMatchObject({
      status: 412,
      json: { error: "precondition_failed", code: "PRECONDITION_FAILED" },
    });
    expect(refused.json).toMatchObject({ request_id: expect.any(String), timestamp: expect.any(String) });
    const next = changed.headers.get("ETag") ?? "";
    expect((await conditional(id, `"1", W/${next}`, { description: "third" })).status).toBe(200);
    expect((await conditional(id, "*", { description: "fourth" })).status).toBe(200);
  });

  it.each(["123", '"abc"', "", '"1",'])("that is not an ETag is rejected: %j", async (match) => {
    const { id } = await createConnection();
    const answer = await conditional(id, match, { description: "x" });
    expect(answer).toMatchObject({ status: 400, json: { details: { "If-Match": expect.any(String) } } });
  });

  it("of many concurrent changes admits one, and loses nothing", async () => {
    const { id } = await createConnection();
    const etag = (await portal("GET", `/connections/${id}`)).headers.get("ETag") ?? "";
    const names = ["a", "b", "c", "d"];
    const answers = await Promise.all(names.map((description) => conditional(id, etag, { description })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
    const won = names[answers.findIndex(({ status }) => status === 200)];
    expect((await portal("GET", `/connections/${id}`)).json.connection.description).toBe(won);
  });
});

describe("DELETE /connections/{id}", () => {
  it("takes effect before the response, in an isolate that has cached the connection", async () => {
    const connection = await createBoundConnection();
    expect((await post(connection)).status).toBe(202);
    expect(await remove(connection.id)).toMatchObject({
      status: 200,
      json: { message: "connection_deleted", erase_at: null },
    });
    expect(await post(connection)).toMatchObject({
      status: 404,
      json: { error: "Webhook connection not found" },
    });
  });

  it("hides the connection from the portal, and may be repeated", async () => {
    const { id } = await createConnection();
    await remove(id);
    for (const answer of [
      await portal("GET", `/connections/${id}`),
      await patch(id, { status: "active" }),
      await portal("POST", `/connections/${id}/rotate-secret`, {}),
    ]) {
      expect(answer).toMatchObject({ status: 404, json: { error: "connection_not_found" } });
    }
    expect((await remove(id)).status).toBe(200);
    const { results } = await bindings.DB.prepare("SELECT action FROM audit WHERE subject_id = ? ORDER BY id")
      .bind(id)
      .all();
    expect(results.map(({ action }) => action)).toEqual(["connection.created", "connection.deleted"]);
  });

  it("still delivers accepted reports", async () => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection);
    await remove(connection.id);
    const { received, using } = creatorThat();
    await deliverFiles([fileId], using);
    expect(received).toHaveLength(1);
  });

  it("that could not be propagated is a 503, and takes effect a minute later, or when it is repeated", async () => {
    const cutOff = withBrokenGates(bindings, "refresh");
    const [one, two] = await Promise.all([createBoundConnection(), createBoundConnection()]);
    for (const { id } of [one, two]) expect((await remove(id, "", "portal", cutOff)).status).toBe(503);
    expect((await remove(one.id)).status).toBe(200);
    await runCron();
    for (const connection of [one, two]) expect((await post(connection)).status).toBe(404);
    const { results } = await bindings.DB.prepare(
      "SELECT gate_version = version AS propagated FROM connections WHERE id IN (?, ?)",
    )
      .bind(one.id, two.id)
      .all();
    expect(results).toEqual([{ propagated: 1 }, { propagated: 1 }]);
  });

  it("of another owner's connection, or of a missing one, is a 404", async () => {
    const theirs = await createConnection(newOwner());
    for (const id of [theirs.id, newObjectId()])
      expect(await remove(id, "", "bound")).toMatchObject({
        status: 404,
        json: { error: "connection_not_found" },
      });
    expect((await portal("GET", `/connections/${theirs.id}`)).status).toBe(200);
  });

  it.each(["?erase=yes", "?erase=", "?force=true"])("refuses %s", async (query) => {
    const { id } = await createConnection();
    expect((await remove(id, query)).status).toBe(400);
    expect((await portal("GET", `/connections/${id}`)).status).toBe(200);
  });
});
