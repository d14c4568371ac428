/** Warnings about fields, in the words of the wire contract. They never refuse a report. */
import { describe, expect, it, vi } from "vitest";
import { utf8 } from "../../../src/crypto/encoding.ts";
import { isCalendarDate, MAX_PROBLEMS } from "../../../src/inbound/field-rules.ts";
import { PARSE_UP_TO_BYTES, validateBody } from "../../../src/inbound/validate-body.ts";
import {
  createApiKey,
  createBoundConnection,
  createConnection,
  createEmployer,
  fileStatus,
  filesCreator,
  gateOf,
  post,
} from "../../support/gateway.ts";
import { expectNothingStored, snapshotOfConnection } from "../../support/intake.ts";

const MISSING = "Required field missing";
const NOT_POSITIVE = "Must be a positive number";
const NOT_A_DATE = "Invalid date format, expected YYYY-MM-DD";
const NOT_A_STRING = "Must be a string";
const NOT_AN_OBJECT = "Must be an object";

const webhookEmployee = {
  first_name: "John",
  last_name: "Doe",
  class_code: "8810",
  state: "CA",
  gross_wages: 5_000,
  hours_worked: 80,
};
const webhookReport = {
  employer_fein: "12-3456789",
  policy_number: "WC1025561",
  pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
};
const reportEmployee = {
  employee_id: "e1",
  name: "John Doe",
  classification_code: "8810",
  hours_worked: 80,
  gross_wages: 5_000,
};
const reportReport = {
  employer_id: "EMP_1",
  period_start: "2026-03-01",
  period_end: "2026-03-15",
  payroll_data: { total_payroll: 5_000, total_hours: 80, officer_payroll: 0, subcontractor_payments: 0 },
};

function warningsOf(report: object): Record<string, string> {
  const validated = validateBody(utf8(JSON.stringify(report)));
  if (!validated.ok) throw new Error(validated.error.kind);
  return validated.value.warnings;
}

describe("the webhook dialect", () => {
  const warnings = (employee: object, report: object = {}) =>
    warningsOf({ ...webhookReport, ...report, employees: [{ ...webhookEmployee, ...employee }] });

  it.each<[string, object, Record<string, string>]>([
    ["nothing wrong", {}, {}],
    ["an unknown field", { nickname: 7 }, {}],
    ["zero wages and hours", { gross_wages: 0, hours_worked: 0 }, {}],
    ["no first name", { first_name: undefined }, { "employees[0].first_name": MISSING }],
    ["a null last name", { last_name: null }, { "employees[0].last_name": MISSING }],
    ["an empty class code", { class_code: "" }, { "employees[0].class_code": MISSING }],
    ["a state that is a number", { state: 6 }, { "employees[0].state": NOT_A_STRING }],
    ["a class code that is a number", { class_code: 8810 }, { "employees[0].class_code": NOT_A_STRING }],
    ["no wages", { gross_wages: undefined }, { "employees[0].gross_wages": MISSING }],
    ["null hours", { hours_worked: null }, { "employees[0].hours_worked": MISSING }],
    ["negative wages", { gross_wages: -1 }, { "employees[0].gross_wages": NOT_POSITIVE }],
    ["wages in a string", { gross_wages: "5000" }, { "employees[0].gross_wages": NOT_POSITIVE }],
    ["hours that are true", { hours_worked: true }, { "employees[0].hours_worked": NOT_POSITIVE }],
    [
      "several at once",
      { first_name: "", state: undefined, hours_worked: -0.5 },
      {
        "employees[0].first_name": MISSING,
        "employees[0].state": MISSING,
        "employees[0].hours_worked": NOT_POSITIVE,
      },
    ],
  ])("of an employee with %s: %j → %j", (_, employee, expected) => {
    expect(warnings(employee)).toEqual(expected);
  });

  const period = (start_date: unknown, end_date: unknown) => ({ pay_period: { start_date, end_date } });

  it.each<[string, object, Record<string, string>]>([
    ["no policy number", { policy_number: undefined }, { policy_number: MISSING }],
    ["a policy number that is a number", { policy_number: 7 }, { policy_number: NOT_A_STRING }],
    ["no pay period", { pay_period: undefined }, { pay_period: MISSING }],
    ["a pay period that is text", { pay_period: "2026-03" }, { pay_period: NOT_AN_OBJECT }],
    ["a pay period that is null", { pay_period: null }, { pay_period: NOT_AN_OBJECT }],
    ["a pay period that is an array", { pay_period: [] }, { pay_period: NOT_AN_OBJECT }],
    ["no start", period(undefined, "2026-03-15"), { "pay_period.start_date": MISSING }],
    ["an empty end", period("2026-03-01", ""), { "pay_period.end_date": MISSING }],
    ["another format", period("03/01/2026", "2026-03-15"), { "pay_period.start_date": NOT_A_DATE }],
    ["a day that does not exist", period("2026-03-01", "2026-02-30"), { "pay_period.end_date": NOT_A_DATE }],
    ["a date that is a number", period(20260301, "2026-03-15"), { "pay_period.start_date": NOT_A_DATE }],
    ["a period of one day", period("2026-03-01", "2026-03-01"), {}],
    [
      "an end before the start",
      period("2026-03-15", "2026-03-01"),
      { "pay_period.end_date": "Must not be before pay_period.start_date" },
    ],
  ])("of a report with %s", (_, report, expected) => {
    expect(warnings({}, report)).toEqual(expected);
  });
});

describe("the report dialect", () => {
  const warnings = (employee: object, report: object = {}) =>
    warningsOf({ ...reportReport, ...report, employees: [{ ...reportEmployee, ...employee }] });

  it.each<[string, object, Record<string, string>]>([
    ["nothing wrong", {}, {}],
    ["no employee id", { employee_id: undefined }, { "employees[0].employee_id": MISSING }],
    ["no name", { name: "" }, { "employees[0].name": MISSING }],
    [
      "no classification code",
      { classification_code: undefined },
      { "employees[0].classification_code": MISSING },
    ],
    ["negative wages", { gross_wages: -5_000 }, { "employees[0].gross_wages": NOT_POSITIVE }],
    ["no hours", { hours_worked: undefined }, { "employees[0].hours_worked": MISSING }],
  ])("of an employee with %s: %j → %j", (_, employee, expected) => {
    expect(warnings(employee)).toEqual(expected);
  });

  const totals = (fields: object) => ({ payroll_data: { ...reportReport.payroll_data, ...fields } });

  it.each<[string, object, Record<string, string>]>([
    ["no start", { period_start: undefined }, { period_start: MISSING }],
    ["another format", { period_end: "03/15/2026" }, { period_end: NOT_A_DATE }],
    [
      "an end before the start",
      { period_end: "2026-02-01" },
      { period_end: "Must not be before period_start" },
    ],
    ["no totals", { payroll_data: undefined }, { payroll_data: MISSING }],
    ["totals that are an array", { payroll_data: [] }, { payroll_data: NOT_AN_OBJECT }],
    ["no total payroll", totals({ total_payroll: undefined }), { "payroll_data.total_payroll": MISSING }],
    ["no optional totals", { payroll_data: { total_payroll: 1 } }, {}],
    ["negative hours", totals({ total_hours: -1 }), { "payroll_data.total_hours": NOT_POSITIVE }],
    [
      "payments in text",
      totals({ subcontractor_payments: "1" }),
      { "payroll_data.subcontractor_payments": NOT_POSITIVE },
    ],
  ])("of a report with %s", (_, report, expected) => {
    expect(warnings({}, report)).toEqual(expected);
  });
});

describe("advice", () => {
  it("names each employee by its place", () => {
    const employees = [
      webhookEmployee,
      { ...webhookEmployee, state: "" },
      reportEmployee,
      7,
      { ...reportEmployee, name: null },
    ];
    expect(warningsOf({ ...webhookReport, employees })).toEqual({
      "employees[1].state": MISSING,
      "employees[3]": NOT_AN_OBJECT,
      "employees[4].name": MISSING,
    });
  });

  it.each([
    ["", 100],
    ["of a large report", 400_000],
  ])("ends at a hundred %s, the report's own first", (_, padding) => {
    const employees = Array.from({ length: 200 }, () => ({}));
    const warnings = warningsOf({ note: "x".repeat(padding), employees });
    expect(MAX_PROBLEMS).toBe(100);
    expect(Object.keys(warnings)).toHaveLength(100);
    expect(Object.keys(warnings).slice(0, 3)).toEqual([
      "policy_number",
      "pay_period",
      "employees[0].first_name",
    ]);
    expect(Object.keys(warnings).at(-1)).toBe("employees[16].last_name");
  });
});

it.each([
  ["2026-03-01", true],
  ["2024-02-29", true],
  ["2000-02-29", true],
  ["0001-01-01", true],
  ["9999-12-31", true],
  ["2023-02-29", false],
  ["1900-02-29", false],
  ["2026-04-31", false],
  ["2026-13-01", false],
  ["2026-00-10", false],
  ["2026-01-00", false],
  ["2026-3-1", false],
  ["20260301", false],
  ["2026/03/01", false],
  ["2026-03-01T00:00:00Z", false],
  ["2026-03-01 ", false],
  ["2026-03-01\n", false],
  ["", false],
  [20260301, false],
  [null, false],
  [["2026-03-01"], false],
])("%j is a calendar date: %s", (value, is) => {
  expect(isCalendarDate(value)).toBe(is);
});

describe("over HTTP", () => {
  it("the 202 includes the warnings", async () => {
    const connection = await createBoundConnection();
    const employees = [{ ...webhookEmployee, class_code: undefined, gross_wages: -1 }];
    const answer = await post(
      connection,
      JSON.stringify({ ...webhookReport, employer_fein: connection.fein, employees }),
    );
    expect(answer.status).toBe(202);
    expect(answer.json.warnings).toEqual({
      "employees[0].class_code": MISSING,
      "employees[0].gross_wages": NOT_POSITIVE,
    });
  });

  it("a report without faults has an empty map of warnings", async () => {
    const employer = await createEmployer();
    const connection = await createConnection();
    const body = JSON.stringify({ ...reportReport, employer_id: employer.id, employees: [reportEmployee] });
    const answer = await post(connection, body);
    expect(answer.json).toMatchObject({ employer_id: employer.id, warnings: {} });
    expect(answer.status).toBe(202);
  });

  it("the same body within the hour is accepted with a warning that names the earlier file", async () => {
    const connection = await createBoundConnection();
    const body = JSON.stringify({
      ...webhookReport,
      employer_fein: connection.fein,
      employees: [webhookEmployee],
    });
    const first = await post(connection, body);
    const second = await post(connection, body, { timestamp: String(Date.now() + 1) });
    expect(second.status).toBe(202);
    expect(second.json).toMatchObject({ duplicate: false });
    expect(second.json.file_id).not.toBe(first.json.file_id);
    expect(second.json.warnings.body).toContain(first.json.file_id);
  });

  it("all kinds of warnings together are a hundred at most, those on the whole report first", async () => {
    const connection = await createBoundConnection();
    const employees = Array.from({ length: 200 }, () => ({}));
    const body = JSON.stringify({ employer_fein: "00-0000009", employer_id: "nobody", employees });
    await post(connection, body);
    const { json } = await post(connection, body, { timestamp: String(Date.now() + 1) });
    expect(Object.keys(json.warnings)).toHaveLength(100);
    expect(Object.keys(json.warnings).slice(0, 3).sort()).toEqual(["body", "employer_fein", "employer_id"]);
  });

  it("a report that names its employer twice is refused, small or large, and stores nothing", async () => {
    const connection = await createBoundConnection();
    const text = JSON.stringify({
      ...webhookReport,
      employer_fein: connection.fein,
      employees: [webhookEmployee],
    });
    for (const space of ["", " ".repeat(300_000), " ".repeat(PARSE_UP_TO_BYTES)]) {
      const doubled = `${text.replace("{", '{"employer\\u005ffein":"00-0000001",')}${space}`;
      const answer = await post(connection, doubled);
      expect(answer).toMatchObject({
        status: 400,
        json: { error: "Invalid JSON body", code: "INVALID_JSON" },
      });
      expect(answer.json.message).toContain("`employer_fein` appears twice");
    }
    await expectNothingStored(connection);
  });

  it("a truncated emoji, NUL and a repeated note pass untouched, and come first among a hundred warnings", async () => {
    const connection = await createBoundConnection();
    const employees = Array.from({ length: 200 }, () => ({}));
    const rest = JSON.stringify({ employees }).slice(1);
    const body = `{"note":"\\ud83d","note":"a\\u0000",${rest}`;
    const answer = await post(connection, body);
    expect(answer.status).toBe(202);
    expect(Object.keys(answer.json.warnings)).toHaveLength(100);
    expect(Object.keys(answer.json.warnings)[0]).toBe("note");
    await vi.waitFor(async () => {
      const [file] = await filesCreator.receivedFile(answer.json.file_id);
      expect(file?.text).toBe(body);
    });
  });

  it("stay with the file as the sender was told them, until the connection is erased", async () => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const { state: _state, ...stateless } = webhookEmployee;
    const employees = [stateless, webhookEmployee, stateless, { ...stateless, gross_wages: -1 }, 7];
    const body = JSON.stringify({ ...webhookReport, employer_fein: "no FEIN", employees });
    const told = (await post(connection, body)).json;
    expect(Object.keys(told.warnings).length).toBeGreaterThan(5);
    expect((await fileStatus(key.token, told.file_id)).json.warnings).toEqual(told.warnings);
    const again = (await post(connection, body, { timestamp: String(Date.now() + 1) })).json;
    expect(again.warnings).toMatchObject({ ...told.warnings, body: expect.stringContaining(told.file_id) });
    expect((await fileStatus(key.token, again.file_id)).json.warnings).toEqual(again.warnings);
    const snapshot = await snapshotOfConnection(connection);
    await gateOf(connection).refresh({ ...snapshot, version: snapshot.version + 1, wrappedKey: "" });
    expect((await fileStatus(key.token, told.file_id)).json.warnings).toEqual({});
  });

  it("a connection that drops equal bodies answers them as repeats", async () => {
    const connection = await createBoundConnection({ same_body: "deduplicate" });
    const body = JSON.stringify({
      ...webhookReport,
      employer_fein: connection.fein,
      employees: [webhookEmployee],
    });
    const first = await post(connection, body);
    const second = await post(connection, body, { timestamp: String(Date.now() + 1) });
    expect(second.json).toMatchObject({ file_id: first.json.file_id, duplicate: true });
  });
});
