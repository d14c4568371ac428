import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PARSE_UP_TO_BYTES } from "../../../src/inbound/validate-body.ts";
import {
  createDeveloper,
  employee,
  PAYROLL,
  payroll,
  submit,
  webhookEmployee,
  webhookPayroll,
} from "../../support/developer.ts";
import { catchWakeUps } from "../../support/forwarding.ts";
import { createEmployer, gateOf, type Json } from "../../support/gateway.ts";
import { leaveNoEvidence } from "../../support/intake.ts";
import { watched, without } from "../../support/interception.ts";

const MISSING = "Required field missing";
const NOT_POSITIVE = "Must be a positive number";
const NOT_A_DATE = "Invalid date format, expected YYYY-MM-DD";
const KEY = { id: "k", employerId: "EMP_1", fein: "12-3456789" };

beforeEach(() => {
  catchWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const refusal = (message: string, details?: Json) => ({
  status: 400,
  json: { error: "Validation Error", code: "VALIDATION_ERROR", message, ...(details && { details }) },
});

/** The same report, so large that it is outlined instead of parsed. */
const large = (body: Json) => ({ padding: "x".repeat(PARSE_UP_TO_BYTES), ...body });

const FIELD_CASES: [what: string, body: Json, message: string, details: Json][] = [
  [
    "an employee's missing field and another's negative wages",
    payroll(KEY, {
      employees: [employee({ classification_code: undefined }), employee({ gross_wages: -1 })],
    }),
    "Invalid employee data",
    { "employees[0].classification_code": MISSING, "employees[1].gross_wages": NOT_POSITIVE },
  ],
  [
    "numbers that are none",
    payroll(KEY, { employees: [employee({ gross_wages: "26000", hours_worked: null })] }),
    "Invalid employee data",
    { "employees[0].gross_wages": NOT_POSITIVE, "employees[0].hours_worked": MISSING },
  ],
  [
    "employees that are none",
    payroll(KEY, { employees: ["John", null, [], 1] }),
    "Invalid employee data",
    Object.fromEntries([0, 1, 2, 3].map((i) => [`employees[${i}]`, "Must be an object"])),
  ],
  [
    "an employee without anything",
    payroll(KEY, { employees: [{}] }),
    "Invalid employee data",
    {
      "employees[0].employee_id": MISSING,
      "employees[0].name": MISSING,
      "employees[0].classification_code": MISSING,
      "employees[0].hours_worked": MISSING,
      "employees[0].gross_wages": MISSING,
    },
  ],
  [
    "an employee of the webhooks' dialect with texts that are none",
    webhookPayroll(KEY, { employees: [webhookEmployee({ class_code: 8810, state: "", last_name: null })] }),
    "Invalid employee data",
    {
      "employees[0].last_name": MISSING,
      "employees[0].class_code": "Must be a string",
      "employees[0].state": MISSING,
    },
  ],
  [
    "no employees",
    payroll(KEY, { employees: [] }),
    "The body has invalid fields.",
    { employees: "Must have at least one employee" },
  ],
  [
    "employees that are no array",
    payroll(KEY, { employees: { 0: employee() } }),
    "The body has invalid fields.",
    { employees: "Must be an array" },
  ],
  [
    "one missing top-level field",
    payroll(KEY, { employees: undefined }),
    "Missing required fields: employees",
    { required: ["employer_id", "period_start", "period_end", "employees", "payroll_data"] },
  ],
  [
    "several missing top-level fields of the webhooks' dialect",
    webhookPayroll(KEY, { pay_period: undefined, employees: undefined }),
    "Missing required fields: employees, pay_period",
    { required: ["employer_fein", "policy_number", "employees", "pay_period"] },
  ],
  [
    "all top-level fields missing",
    {},
    "Missing required fields: employer_id, period_start, period_end, employees, payroll_data",
    { required: ["employer_id", "period_start", "period_end", "employees", "payroll_data"] },
  ],
  [
    "one wrong date",
    payroll(KEY, { period_start: "01/15/2024" }),
    "Invalid date format for period_start",
    { expected: "YYYY-MM-DD", received: "01/15/2024" },
  ],
  [
    "a day that does not exist",
    payroll(KEY, { period_end: "2026-02-30" }),
    "Invalid date format for period_end",
    { expected: "YYYY-MM-DD", received: "2026-02-30" },
  ],
  [
    "a date that is a number",
    webhookPayroll(KEY, { pay_period: { start_date: 20240115, end_date: "2024-01-31" } }),
    "Invalid date format for pay_period.start_date",
    { expected: "YYYY-MM-DD", received: "20240115" },
  ],
  [
    "a date that is an essay",
    payroll(KEY, { period_start: "2024-01-01 ".repeat(1_000) }),
    "Invalid date format for period_start",
    { expected: "YYYY-MM-DD", received: `${"2024-01-01 ".repeat(3).slice(0, 32)}…` },
  ],
  [
    "two wrong dates",
    payroll(KEY, { period_start: "1/1/2024", period_end: { day: 1 } }),
    "The body has invalid fields.",
    { period_start: NOT_A_DATE, period_end: NOT_A_DATE },
  ],
  [
    "a period that ends before it begins",
    payroll(KEY, { period_start: "2024-04-01" }),
    "The body has invalid fields.",
    { period_end: "Must not be before period_start" },
  ],
  [
    "an employer id and a FEIN that are none",
    payroll(KEY, { employer_id: "no spaces", employer_fein: "123" }),
    "The body has invalid fields.",
    {
      employer_id: "Must be 1 to 64 letters, digits, underscores or dashes",
      employer_fein: "Has 3 digits; a FEIN has nine, such as 12-3456789",
    },
  ],
  [
    "totals that are none, and one that is missing",
    payroll(KEY, { payroll_data: { total_hours: -1, officer_payroll: "0" } }),
    "The body has invalid fields.",
    {
      "payroll_data.total_payroll": MISSING,
      "payroll_data.total_hours": NOT_POSITIVE,
      "payroll_data.officer_payroll": NOT_POSITIVE,
    },
  ],
  [
    "something of everything",
    {
      employer_id: "",
      period_start: "soon",
      payroll_data: 7,
      employees: [employee(), employee({ name: 7 })],
    },
    "The body has invalid fields.",
    {
      employer_id: MISSING,
      period_start: NOT_A_DATE,
      period_end: MISSING,
      payroll_data: "Must be an object",
      "employees[1].name": "Must be a string",
    },
  ],
];

describe("a payroll report is refused for", () => {
  it.each(FIELD_CASES)("%s", async (_what, body, message, details) => {
    const key = await createDeveloper();
    const small = await submit(key, PAYROLL, body);
    expect(small).toMatchObject(refusal(message));
    expect(small.json.details).toEqual(details);
    const outlined = await submit(key, PAYROLL, large(body));
    expect(outlined.json).toMatchObject({ message, details });
    expect(await gateOf(key, "key").list(null, 10)).toEqual([]);
  });

  it.each([
    [
      "half a document",
      '{"employer_id":',
      "The body is not valid JSON: line 1, column 16: The text ends before the value is complete.",
    ],
    ["nothing", "", "The body is empty. Send a JSON object."],
    [
      "an employer that appears twice",
      '{"employer_id":"EMP_1","employer_id":"EMP_2","employees":[{}]}',
      "`employer_id` appears twice, so it is unclear which value counts. Send it once.",
    ],
    ["an array", "[]", "The body must be a JSON object."],
    ["null", "null", "The body must be a JSON object."],
    [
      "a depth without end",
      `{"a":${"[".repeat(100)}${"]".repeat(100)}}`,
      "The body is nested more than 64 levels deep.",
    ],
    [
      "bytes that are no text",
      new Uint8Array([0x7b, 0xff, 0x7d]),
      "The body is not UTF-8: line 1, column 2: the byte FF is invalid there. Encode the text as UTF-8.",
    ],
    [
      "a byte order mark",
      "\ufeff{}",
      "The body begins with a byte order mark (EF BB BF). Send UTF-8 without one.",
    ],
  ])("%s", async (_what, body, message) => {
    const key = await createDeveloper();
    expect(await submit(key, PAYROLL, body)).toMatchObject(refusal(message));
  });

  it("at most a hundred problems at once, those of the report first", async () => {
    const key = await createDeveloper();
    const employees = Array.from({ length: 5_000 }, () => employee({ gross_wages: -1 }));
    for (const body of [payroll(key, { employees }), large(payroll(key, { employees }))]) {
      const { json } = await submit(key, PAYROLL, { ...body, period_end: "" });
      expect(Object.keys(json.details)).toHaveLength(100);
      expect(Object.keys(json.details).slice(0, 2)).toEqual(["period_end", "employees[0].gross_wages"]);
    }
  });

  it("how it is packed, or its size", async () => {
    const key = await createDeveloper();
    const body = payroll(key);
    const packed = await submit(key, PAYROLL, body, { "Content-Encoding": "gzip" });
    expect(packed).toMatchObject({ status: 415, json: { error: "Unsupported content encoding" } });
    const huge = await submit(key, PAYROLL, { ...body, note: "x".repeat(10 * 1024 ** 2) });
    expect(huge).toMatchObject({ status: 413, json: { error: "Payload too large" } });
  });

  it.each([
    ["an unknown employer", async () => "EMP_NOBODY"],
    [
      "an employer of others",
      async () => (await createEmployer([{ owner_type: "payroll_company", owner_id: "other" }])).id,
    ],
  ])("%s, in words that tell nothing of it", async (_what, employerId) => {
    const key = await createDeveloper();
    const answer = await submit(key, PAYROLL, payroll({ employerId: await employerId() }));
    expect(answer).toMatchObject({
      status: 404,
      json: {
        error: "Could not resolve employer",
        message:
          "No employer with this FEIN or id is granted to this key's owner. Check it, or add the employer in the portal.",
      },
    });
  });

  it("an Idempotency-Key that is malformed, or that names another report", async () => {
    const key = await createDeveloper();
    const bad = await submit(key, PAYROLL, payroll(key), { "Idempotency-Key": "x".repeat(256) });
    expect(bad).toMatchObject({ status: 400, json: { error: "Invalid Idempotency-Key" } });
    expect((await submit(key, PAYROLL, payroll(key), { "Idempotency-Key": "k" })).status).toBe(202);
    const reused = await submit(key, PAYROLL, payroll(key), { "Idempotency-Key": "k" });
    expect(reused).toMatchObject({
      status: 409,
      json: { error: "Idempotency-Key reused with a different body" },
    });
  });
});

it("a refused report counts towards the rate limit, and is not remembered", async () => {
  const key = await createDeveloper();
  const wrong = payroll(key, { period_end: "" });
  const answer = await submit(key, PAYROLL, wrong, { "Idempotency-Key": "k" });
  expect(answer.headers.get("X-RateLimit-Remaining")).toBe("499");
  const right = await submit(key, PAYROLL, payroll(key), { "Idempotency-Key": "k" });
  expect(right).toMatchObject({ status: 202, json: { duplicate: false } });
  expect(right.headers.get("X-RateLimit-Remaining")).toBe("498");
});

it("a gate that does not respond is a 503 that is safe to repeat, and so is a failed lookup of an employer", async () => {
  const key = await createDeveloper();
  const away = await submit(key, PAYROLL, payroll(key), {}, without("CONNECTION_GATE"));
  expect(away).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
  const { employerId } = await createDeveloper();
  const unknown = await submit(key, PAYROLL, payroll({ employerId }), {}, without("DB"));
  expect(unknown.status).toBe(503);
});

it("past the plan's minute every report is refused, exactly", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  const key = await createDeveloper({ environment: "sandbox", plan: "sandbox" });
  const another = await createDeveloper({ environment: "sandbox", plan: "sandbox" });
  const answers = await Promise.all(Array.from({ length: 130 }, () => submit(key, PAYROLL, payroll(key))));
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(100);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(30);
  const [first] = refused;
  expect(first?.json).toMatchObject({
    error: "Rate Limit Exceeded",
    code: "RATE_LIMIT_EXCEEDED",
    details: { limit: 100, window: "1 minute" },
  });
  expect(first?.headers.get("Retry-After")).toBe(String(first?.json.details.retry_after));
  // Keys are limited apart from each other.
  expect((await submit(another, PAYROLL, payroll(another))).status).toBe(202);
  vi.setSystemTime(Date.now() + first?.json.details.retry_after * 1_000);
  expect((await submit(key, PAYROLL, payroll(key))).status).toBe(202);
});

it("nothing is looked up for a request that is refused for its headers", async () => {
  const key = await createDeveloper();
  leaveNoEvidence();
  const { calls, using } = watched();
  await submit({ token: "nothing" }, PAYROLL, payroll(key), {}, using);
  await submit(key, PAYROLL, payroll(key), { "Content-Encoding": "br" }, using);
  expect(calls).toEqual([]);
});
