/** The page of one request. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import type { OwnerType } from "../../../src/model.ts";
import { type Browser, person, readable, staff } from "../../support/console.ts";
import { catchWakeUps } from "../../support/forwarding.ts";
import { createBoundConnection, inboundPath, portal, post, send } from "../../support/gateway.ts";

let owner: { type: OwnerType; id: string };
let manager: Browser;
const connect = () => createBoundConnection({ owner_type: owner.type, owner_id: owner.id });
const pageOf = (id: string) => `/console/requests/${id}`;

beforeEach(async () => {
  catchWakeUps();
  owner = { type: "payroll_company", id: `console-${newObjectId()}` };
  manager = await person(owner);
});
afterEach(() => vi.restoreAllMocks());

/** Evidence is written after the answer. */
const shown = (browser: Browser, id: string) =>
  vi.waitFor(async () => {
    const page = await browser.get(pageOf(id));
    expect(page.status).toBe(200);
    return page;
  });

describe("a request", () => {
  it("that was accepted leads to its report and its connection", async () => {
    const connection = await connect();
    const { json, headers } = await post(connection, undefined, { headers: { "X-Request-Id": "run-7" } });
    const { text } = await shown(manager, headers.get("X-Audit1-Request-Id") ?? "");
    expect(text).toContain(`/console/reports/${json.file_id}`);
    expect(text).toContain(`/console/connections/${connection.id}`);
    expect(readable(text)).toMatch(/Signed .*Arrived .*Accepted .*Its report is queued/);
    expect(readable(text)).toContain("run-7");
    expect(text).toContain('data-live="3"');
  });

  it("that was refused says why and what to change, and shows nothing of what was sent", async () => {
    const connection = await connect();
    const { json } = await post({ ...connection, secret: "whsec_wrong" });
    const { text } = await shown(manager, json.request_id);
    expect(readable(text)).toContain("Why it was refused, and what to change");
    expect(readable(text)).toContain("401 INVALID_SIGNATURE");
    expect(readable(text)).toContain("Nothing of its content is kept");
    expect(text).not.toContain("gross_wages");
    expect(text).toMatch(/tab=requests&amp;since=[^"&]*&amp;until=/);
  });

  it("of another owner, or that never was, is a 404 that says when it would have come", async () => {
    const connection = await connect();
    const { json } = await post({ ...connection, secret: "whsec_wrong" });
    await shown(manager, json.request_id);
    const stranger = await person({ type: "payroll_company", id: `console-${newObjectId()}` });
    const missing = await stranger.get(pageOf(json.request_id));
    expect([missing.status, readable(missing.text).includes("No such request")]).toEqual([404, true]);
    expect(readable(missing.text)).toContain("By its id, it came");
    for (const id of ["x", connection.id]) expect((await manager.get(pageOf(id))).status).toBe(404);
  });

  it("to a connection that does not exist is for staff only", async () => {
    const { json } = await send(inboundPath({ id: newObjectId() }), {
      method: "POST",
      headers: { "X-Webhook-Signature": "0".repeat(64), "X-Webhook-Timestamp": String(Date.now()) },
      body: "{}",
    });
    const { text } = await shown(await staff(), json.request_id);
    expect(readable(text)).toContain("a connection or an API key that does not exist");
    expect((await manager.get(pageOf(json.request_id))).status).toBe(404);
  });

  it("to a connection that does not exist is listed for staff, by code, as nobody's", async () => {
    const browser = await staff();
    const { json } = await send(inboundPath({ id: newObjectId() }), {
      method: "POST",
      headers: { "X-Webhook-Signature": "0".repeat(64), "X-Webhook-Timestamp": String(Date.now()) },
      body: "{}",
    });
    expect((await browser.get("/console/connections")).text).toContain('href="/console/requests"');
    for (const query of ["", "?code=CONNECTION_NOT_FOUND"]) {
      const { text } = await vi.waitFor(async () => {
        const list = await browser.get(`/console/requests${query}`);
        expect(list.text).toContain(json.request_id);
        return list;
      });
      expect(readable(text)).toContain("CONNECTION_NOT_FOUND");
      expect(text).not.toContain('name="outcome"');
    }
    const others = await browser.get("/console/requests?code=INVALID_SIGNATURE");
    expect(readable(others.text)).toContain("No requests match these filters");
    const ofOwner = await browser.get("/console/requests?owner=payroll_company/acme&since=2026-01-01T00:00");
    expect([ofOwner.status, ofOwner.location]).toEqual([303, "/console/requests?since=2026-01-01T00%3A00"]);
    expect((await manager.get("/console/requests")).status).toBe(404);
  });

  it("of the portal shows what it changed", async () => {
    const connection = await connect();
    const changed = await portal("PATCH", `/connections/${connection.id}`, { description: "Acme" });
    const { text } = await shown(manager, changed.headers.get("X-Audit1-Request-Id") ?? "");
    expect(readable(text)).toContain("A change in the portal");
    expect(readable(text)).toContain("connection.updated");
  });
});
