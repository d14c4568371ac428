/**
 * Requests of the forms that Audit1's documents show, answered as they say. What partners copy from them has to work as it
 * stands: with an address, ids and credentials filled in, and nothing else.
 */
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { catchWakeUps } from "../../support/forwarding.ts";
import {
  createApiKey,
  createBoundConnection,
  createEmployer,
  type Json,
  portal,
  post,
  report,
  send,
} from "../../support/gateway.ts";
import { receiver } from "../../support/outbound.ts";

const OWNER = { owner_id: "acme", owner_type: "payroll_company" };
const QUERY = new URLSearchParams(OWNER);

beforeEach(() => {
  catchWakeUps();
  return () => vi.restoreAllMocks();
});

/** As the pair of a partner, which is bound to its owner and names none. */
function asPartner(method: string, path: string, body?: Json) {
  return send(`/api/v1${path}`, {
    method,
    headers: {
      "X-Client-ID": "bound",
      "X-Client-Secret": "bound-secret",
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

describe("the tutorial: a partner's own pair", () => {
  const registration = {
    url: "https://partner-audit.com/hooks/audit1",
    events: ["file.uploaded", "file.processed", "file.failed", "audit.completed", "employee.created"],
    description: "What becomes of our payroll",
  };

  it("registers a webhook with only an address, events and a description", async () => {
    const { status, json } = await asPartner("POST", "/webhooks", registration);
    expect(status).toBe(201);
    expect(json).toMatchObject({
      success: true,
      webhook: { ...registration, ...OWNER, status: "active", environment: "production" },
      secret: expect.stringMatching(/^whsec_/),
    });
    expect(json.webhook.id).toMatch(/^wh_/);
    expect(json.webhook.createdAt).toMatch(/^\d{4}-\d{2}-\d{2}T.*Z$/);
  });

  it("tests it without a body, looks at its deliveries, lists, changes, disables and deletes it", async () => {
    const { calls } = receiver();
    const { id } = (await asPartner("POST", "/webhooks", registration)).json.webhook;
    const tested = await asPartner("POST", `/webhooks/${id}/test`);
    expect(tested.status).toBe(200);
    expect(calls[0]?.body).toMatchObject({
      id: expect.stringMatching(/^evt_test_/),
      type: "webhook.test",
      data: { message: expect.any(String) },
    });
    const { json: log } = await asPartner("GET", `/webhooks/${id}/deliveries`);
    expect(log.deliveries).toMatchObject([
      {
        id: expect.stringMatching(/^del_/),
        eventType: "webhook.test",
        timestamp: expect.any(String),
        status: "delivered",
        responseCode: 200,
        attempts: 1,
      },
    ]);
    const { json: list } = await asPartner("GET", "/webhooks");
    expect(list.webhooks.map((webhook: Json) => webhook.id)).toContain(id);
    const events = ["file.processed", "audit.completed"];
    const changed = await asPartner("PUT", `/webhooks/${id}`, { events });
    expect(changed).toMatchObject({
      status: 200,
      json: { webhook: { events, description: registration.description } },
    });
    const disabled = await asPartner("PUT", `/webhooks/${id}`, { status: "disabled" });
    expect(disabled).toMatchObject({ status: 200, json: { webhook: { status: "disabled", events } } });
    const deleted = await asPartner("DELETE", `/webhooks/${id}`);
    expect(deleted).toMatchObject({ status: 200, json: { message: "webhook_deleted" } });
    expect((await asPartner("GET", `/webhooks/${id}`)).status).toBe(404);
  });
});

describe("the guide: the portal names the owner", () => {
  it.each(["sandbox", "production"])("makes, lists and deletes a key for %s", async (environment) => {
    const made = await portal("POST", "/api-keys", { ...OWNER, environment });
    const { apiKey, secret } = made.json;
    expect(made.status).toBe(201);
    expect(apiKey).toMatchObject({ ...OWNER, environment, is_active: true, id: `ak_${apiKey._id}` });
    expect(secret).toMatch(environment === "sandbox" ? /^audit1_test_sk_/ : /^audit1_live_sk_/);
    for (const field of ["created_at", "updated_at"]) expect(apiKey[field]).toMatch(/Z$/);
    const { json } = await portal("GET", `/api-keys?${QUERY}`);
    const listed = json.apiKeys.find(({ id }: Json) => id === apiKey.id);
    expect(listed).toEqual(apiKey);
    const deleted = await portal("DELETE", `/api-keys/${apiKey.id}?owner_id=${OWNER.owner_id}`);
    expect(deleted).toMatchObject({ status: 200, json: { message: "api_key_deleted" } });
    const after = await portal("GET", `/api-keys?${QUERY}`);
    expect(after.json.apiKeys.map(({ id }: Json) => id)).not.toContain(apiKey.id);
  });

  it("registers, lists and deletes a webhook, with no environment named", async () => {
    const events = ["policy.created", "payment.processed", "employee.updated"];
    const url = "https://partner-audit.com/hooks/audit1";
    const made = await portal("POST", "/webhooks", { ...OWNER, url, events });
    expect(made).toMatchObject({
      status: 201,
      json: { webhook: { ...OWNER, url, events, is_active: true } },
    });
    const { id } = made.json.webhook;
    const { json } = await portal("GET", `/webhooks?${QUERY}`);
    expect(json.webhooks.map((webhook: Json) => webhook.id)).toContain(id);
    const elsewhere = await portal("DELETE", `/webhooks/${id}?owner_id=another`);
    expect(elsewhere).toMatchObject({ status: 404, json: { error: "webhook_not_found" } });
    const deleted = await portal("DELETE", `/webhooks/${id}?owner_id=${OWNER.owner_id}`);
    expect(deleted).toMatchObject({ status: 200, json: { message: "webhook_deleted" } });
  });

  it.each([
    [{}, "owner_id_required", "The owner_id field is required"],
    [{ owner_id: "acme" }, "owner_type_required", "The owner_type field is required"],
    [OWNER, "environment_required", "The environment field is required"],
  ])("learns which field of a key is missing: %j", async (body, error, message) => {
    const { status, json } = await portal("POST", "/api-keys", body);
    expect(status).toBe(400);
    expect(json).toMatchObject({ error, message, code: "VALIDATION_ERROR", timestamp: expect.any(String) });
  });

  it("gets a 404 for a key that does not exist", async () => {
    const { status, json } = await portal("DELETE", `/api-keys/ak_${"0".repeat(24)}?owner_id=acme`);
    expect([status, json.error]).toEqual([404, "api_key_not_found"]);
  });

  it("reports an event without an environment, and reads production's back", async () => {
    const event = {
      id: "evt-of-a-service",
      type: "policy.created",
      ...OWNER,
      data: { policy: { id: "pol-7" } },
    };
    expect((await portal("POST", "/events", event)).status).toBe(202);
    const { json } = await portal("GET", `/events?${QUERY}`);
    expect(json.events).toContainEqual(
      expect.objectContaining({
        id: event.id,
        data: event.data,
        metadata: expect.objectContaining({ environment: "production" }),
      }),
    );
  });
});

describe("the guide: a developer's key", () => {
  let employer = "";
  let token = "";

  beforeAll(async () => {
    employer = (await createEmployer()).id;
    token = (await createApiKey({ environment: "sandbox" })).token;
  });

  const bearer = (path: string, body?: Json, headers: Record<string, string> = {}) =>
    send(`/api/v1${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });

  const payroll = () => ({
    employer_id: employer,
    period_start: "2026-01-01",
    period_end: "2026-03-31",
    employees: [
      {
        employee_id: "EE_7",
        name: "Ana Ruiz",
        classification_code: "8810",
        hours_worked: 480,
        gross_wages: 21600,
      },
    ],
    payroll_data: { total_payroll: 21600, total_hours: 480, officer_payroll: 0, subcontractor_payments: 0 },
  });

  it("submits a payroll report, and looks up its file", async () => {
    const sent = await bearer("/payroll/reports", payroll());
    expect(sent).toMatchObject({ status: 202, json: { success: true, status: "queued" } });
    const { status, json } = await bearer(`/files/status/${sent.json.file_id}`);
    expect(status).toBe(200);
    expect(Object.keys(json)).toEqual(
      expect.arrayContaining(["file_id", "status", "records_total", "records_processed", "records_failed"]),
    );
  });

  it("reports a hire", async () => {
    const hired = {
      employee_id: "EE_8",
      action: "hire",
      name: "Bo Lind",
      hire_date: "2026-02-02",
      classification_code: "8810",
      hourly_rate: 31.5,
    };
    const sent = await bearer("/employees/sync", { employer_id: employer, employees: [hired] });
    expect(sent.status).toBe(202);
  });

  it("learns which fields are missing, and which are required", async () => {
    const { employees: _, ...rest } = payroll();
    const { status, json } = await bearer("/payroll/reports", rest);
    expect(status).toBe(400);
    expect(json).toMatchObject({
      error: "Validation Error",
      message: "Missing required fields: employees",
      details: { required: ["employer_id", "period_start", "period_end", "employees", "payroll_data"] },
    });
  });

  it("learns what is wrong with employees, each by its path", async () => {
    const [employee] = payroll().employees;
    const { classification_code: _, ...without } = employee ?? {};
    const employees = [without, { ...employee, employee_id: "EE_9", gross_wages: -1 }];
    const { status, json } = await bearer("/payroll/reports", { ...payroll(), employees });
    expect(status).toBe(400);
    expect(json).toMatchObject({ error: "Validation Error", message: "Invalid employee data" });
    expect(json.details).toEqual({
      "employees[0].classification_code": "Required field missing",
      "employees[1].gross_wages": "Must be a positive number",
    });
  });

  it("learns of a date in another form", async () => {
    const { status, json } = await bearer("/payroll/reports", { ...payroll(), period_start: "02/01/2026" });
    expect(status).toBe(400);
    expect(json).toMatchObject({
      error: "Validation Error",
      message: "Invalid date format for period_start",
      details: { expected: "YYYY-MM-DD", received: "02/01/2026" },
    });
  });

  it.each([
    [{ Authorization: "" }, "Missing Authorization header"],
    [
      { Authorization: "Bearer sk_other_1" },
      "Invalid API key format. Expected audit1_test_sk_* or audit1_live_sk_*",
    ],
    [{ Authorization: `Bearer audit1_test_sk_${"z".repeat(32)}` }, "API key not found"],
  ])("learns what is wrong with the key: %j", async (headers, message) => {
    for (const answer of [
      await bearer("/payroll/reports", payroll(), headers),
      await bearer("/files/status/FILE_1", undefined, headers),
    ]) {
      expect(answer.status).toBe(401);
      expect(answer.json).toMatchObject({ error: "Authentication Failed" });
      expect(answer.json.message).toContain(message);
    }
  });

  it("cannot manage anything with it", async () => {
    for (const path of ["/api-keys", "/webhooks"]) expect((await bearer(path)).status).toBe(403);
  });
});

describe("the page on inbound webhooks", () => {
  it("has a report that names its employer by a FEIN with a dash", async () => {
    const { fein, ...connection } = await createBoundConnection();
    const answer = await post(connection, report({ employer_fein: fein }));
    expect(answer).toMatchObject({ status: 202, json: { success: true, connection_id: connection.id } });
  });

  it("changes a webhook's address, events and status by PATCH", async () => {
    const fields = { ...OWNER, url: "https://partner-audit.com/a", events: ["*"] };
    const { id } = (await portal("POST", "/webhooks", fields)).json.webhook;
    const change = { url: "https://partner-audit.com/b", events: ["file.failed"], status: "disabled" };
    const { status, json } = await portal("PATCH", `/webhooks/${id}?${QUERY}`, change);
    expect(status).toBe(200);
    expect(json.webhook).toMatchObject(change);
  });
});
