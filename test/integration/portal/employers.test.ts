import { afterEach, describe, expect, it, vi } from "vitest";
import {
  bindings,
  createApiKey,
  createConnection,
  createEmployer,
  type Json,
  portal,
  send,
} from "../../support/gateway.ts";

afterEach(() => {
  vi.useRealTimers();
});

const ACME = { owner_type: "payroll_company", owner_id: "acme" };
const newOwner = () => ({ owner_type: "user", owner_id: crypto.randomUUID() });
const list = (query: Record<string, string> = {}, client = "portal") =>
  portal("GET", `/employers?${new URLSearchParams(query)}`, undefined, client);
const idsOf = (answer: { json: Json }): string[] => answer.json.employers.map(({ id }: Json) => id);

describe("GET /employers/{id}", () => {
  it("shows the employer with the owners it is granted to, and its version as the ETag", async () => {
    const owner = newOwner();
    const { id, fein } = await createEmployer([owner, ACME]);
    const answer = await portal("GET", `/employers/${id}`);
    expect(answer).toMatchObject({
      status: 200,
      json: { employer: { id, fein: fein.replace("-", ""), name: "Test Employer", owners: [ACME, owner] } },
    });
    expect(answer.headers.get("ETag")).toBe(`"${answer.json.employer.version}"`);
  });

  it("shows an owner's client the employers that are granted to it, and nobody else's grants", async () => {
    const { id } = await createEmployer([newOwner(), ACME]);
    const seen = await portal("GET", `/employers/${id}`, undefined, "bound");
    expect(seen).toMatchObject({ status: 200, json: { employer: { id, owners: [ACME] } } });
    const foreign = await createEmployer([newOwner()]);
    const learned = async (each: string) => {
      const { status, json } = await portal("GET", `/employers/${each}`, undefined, "bound");
      return { status, ...json, request_id: "", timestamp: "" };
    };
    expect(await learned(foreign.id)).toEqual(await learned("EMP_NOBODY"));
    expect(await learned(foreign.id)).toMatchObject({ status: 404, error: "employer_not_found" });
  });
});

describe("GET /employers", () => {
  it("lists an owner's employers in pages without gaps or repeats", async () => {
    const owner = newOwner();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await createEmployer([owner, ACME])).id);
    await createEmployer([newOwner()]);
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = await list({ ...owner, limit: "2", ...(cursor && { cursor }) });
      seen.push(...idsOf(page));
      cursor = page.json.next_cursor;
    }
    expect(seen).toEqual(ids.toSorted());
  });

  it("lists all to the portal itself", async () => {
    const { id } = await createEmployer([]);
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = await list({ limit: "100", ...(cursor && { cursor }) });
      seen.push(...idsOf(page));
      cursor = page.json.next_cursor;
    }
    expect(seen).toContain(id);
    expect(seen).toEqual(seen.toSorted());
  });

  it("lists to an owner's client only its owner's employers, and rejects any other owner", async () => {
    const own = await createEmployer([ACME, newOwner()]);
    const foreign = await createEmployer([newOwner()]);
    const { json } = await list({ limit: "100" }, "bound");
    expect(idsOf({ json })).toContain(own.id);
    expect(idsOf({ json })).not.toContain(foreign.id);
    expect(json.employers.flatMap(({ owners }: Json) => owners)).toEqual(json.employers.map(() => ACME));
    expect((await list(newOwner(), "bound")).status).toBe(404);
  });

  it("no longer lists an employer whose grant was withdrawn", async () => {
    const owner = newOwner();
    const { id, fein } = await createEmployer([owner]);
    await portal("PUT", `/employers/${id}`, { fein, name: "Test Employer", owners: [ACME] });
    expect(idsOf(await list(owner))).toEqual([]);
  });

  it.each([
    ["limit", "101"],
    ["cursor", "x"],
    ["fein", "12-3456789"],
    ["owner_type", "robot"],
  ])("refuses %s=%s by its name", async (name, value) => {
    const answer = await list({ ...ACME, [name]: value });
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.details)).toEqual([name]);
  });

  it("rejects developer keys, and requests without credentials", async () => {
    const { token } = await createApiKey();
    const headers = { Authorization: `Bearer ${token}` };
    for (const [method, path] of [
      ["GET", "/employers"],
      ["GET", "/employers/EMP_1"],
      ["POST", "/employers/import"],
    ] as const) {
      expect((await send(`/api/v1${path}`, { method, headers })).status).toBe(403);
      expect((await send(`/api/v1${path}`, { method })).status).toBe(401);
    }
  });
});

describe("PUT /employers/{id}", () => {
  it("without owners keeps the grants, and with an empty list withdraws all", async () => {
    const owners = [newOwner(), newOwner()];
    const { id, fein } = await createEmployer(owners);
    const renamed = await portal("PUT", `/employers/${id}`, { fein, name: "Renamed" });
    expect(renamed).toMatchObject({ status: 200, json: { employer: { name: "Renamed" } } });
    expect(renamed.json.employer.owners).toHaveLength(2);
    const emptied = await portal("PUT", `/employers/${id}`, { fein, name: "Renamed", owners: [] });
    expect(emptied.json.employer.owners).toEqual([]);
  });

  it("is refused if it withdraws the employer from the owner of connections that are bound to it", async () => {
    const [losing, keeping] = [newOwner(), newOwner()];
    const { id, fein } = await createEmployer([losing, keeping]);
    const bound = [];
    for (const owner of [losing, losing, keeping])
      bound.push((await createConnection({ ...owner, employer_id: id })).id);
    await createConnection(losing);
    const put = (fields: Json, query = "") =>
      portal("PUT", `/employers/${id}${query}`, { fein, name: "Test Employer", ...fields });
    const refused = await put({ owners: [keeping] });
    expect(refused).toMatchObject({ status: 409, json: { error: "employer_in_use", code: "CONFLICT" } });
    expect(refused.json.details.connections.toSorted()).toEqual(bound.slice(0, 2).toSorted());
    expect((await portal("GET", `/employers/${id}`)).json.employer.owners).toHaveLength(2);
    expect((await put({ owners: [losing, keeping] })).status).toBe(200);
    expect((await put({ owners: [keeping], force: true })).json.employer.owners).toEqual([keeping]);
    expect((await put({ owners: [] }, "?force=true")).json.employer.owners).toEqual([]);
  });

  it("may withdraw the employer from an owner whose bound connections are deleted", async () => {
    const owner = newOwner();
    const { id, fein } = await createEmployer([owner]);
    const connection = await createConnection({ ...owner, employer_id: id });
    await portal("DELETE", `/connections/${connection.id}`);
    const answer = await portal("PUT", `/employers/${id}`, { fein, name: "Test Employer", owners: [] });
    expect(answer.status).toBe(200);
  });

  it("that changes nothing writes nothing", async () => {
    const { id, fein } = await createEmployer([newOwner(), ACME]);
    const { employer } = (await portal("GET", `/employers/${id}`)).json;
    const owners = [...employer.owners, ...employer.owners].reverse();
    const again = await portal("PUT", `/employers/${id}`, { fein, name: "Test Employer", owners });
    expect(again).toMatchObject({ status: 200, json: { employer } });
    const { json } = await portal("GET", `/audit?subject=employer:${id}`);
    expect(json.audit.map(({ action }: Json) => action)).toEqual(["employer.created"]);
  });

  it("with another's FEIN is refused, written with or without the dash, and changes nothing", async () => {
    const first = await createEmployer();
    const second = await createEmployer();
    for (const fein of [first.fein, first.fein.replace("-", "")])
      for (const id of [second.id, `${second.id}_new`])
        expect(await portal("PUT", `/employers/${id}`, { fein, name: "X" })).toMatchObject({
          status: 409,
          json: { error: "fein_taken" },
        });
    expect((await portal("GET", `/employers/${second.id}`)).json.employer.name).toBe("Test Employer");
    expect((await portal("GET", `/employers/${second.id}_new`)).status).toBe(404);
    const { results } = await bindings.DB.prepare("SELECT id FROM audit WHERE subject_id = ?")
      .bind(`${second.id}_new`)
      .all();
    expect(results).toEqual([]);
  });
});
