import { describe, expect, it, vi } from "vitest";
import { PARSE_UP_TO_BYTES } from "../../../src/inbound/validate-body.ts";
import { changes, createDeveloper, EMPLOYEES, hire, submit } from "../../support/developer.ts";
import { fileStatus, filesCreator, gateOf, type Json } from "../../support/gateway.ts";

const MISSING = "Required field missing";

describe("employee changes", () => {
  it("are accepted, and reach the files-creator as employee changes", async () => {
    const key = await createDeveloper();
    const terminate = { employee_id: "EE_2", action: "terminate", termination_date: "2024-03-01" };
    const update = { employee_id: "EE_3", action: "update", hourly_rate: 0, anything: { else: [1] } };
    const answer = await submit(key, EMPLOYEES, changes(key, [hire(), terminate, update]));
    expect(answer).toMatchObject({
      status: 202,
      json: {
        success: true,
        status: "queued",
        api_key_id: key.id,
        employer_id: key.employerId,
        warnings: {},
      },
    });
    const { file_id: fileId } = answer.json;
    expect((await fileStatus(key.token, fileId)).json).toMatchObject({ kind: "employee_sync" });
    await vi.waitFor(async () => expect(await filesCreator.receivedFile(fileId)).toHaveLength(1), 5_000);
    const [file] = await filesCreator.receivedFile(fileId);
    expect(file?.headers["x-audit1-kind"]).toBe("employee_sync");
  });

  it("under an Idempotency-Key are one file, as a report is", async () => {
    const key = await createDeveloper();
    const body = changes(key);
    const first = await submit(key, EMPLOYEES, body, { "Idempotency-Key": "k" });
    const second = await submit(key, EMPLOYEES, body, { "Idempotency-Key": "k" });
    expect(second).toMatchObject({ status: 202, json: { file_id: first.json.file_id, duplicate: true } });
  });

  it.each<[string, Json[], Json]>([
    [
      "a hire without what a hire must have",
      [{ employee_id: "EE_1", action: "hire" }],
      {
        "employees[0].name": MISSING,
        "employees[0].hire_date": MISSING,
        "employees[0].classification_code": MISSING,
      },
    ],
    [
      "a termination without its date",
      [hire(), { employee_id: "EE_1", action: "terminate" }],
      { "employees[1].termination_date": MISSING },
    ],
    [
      "an unknown action, and none",
      [hire({ action: "promote" }), hire({ action: undefined }), hire({ action: 1 })],
      {
        "employees[0].action": "Must be one of hire, terminate, update",
        "employees[1].action": MISSING,
        "employees[2].action": "Must be one of hire, terminate, update",
      },
    ],
    ["nobody", [{ action: "update" }], { "employees[0].employee_id": MISSING }],
    [
      "a negative rate and a text that is none",
      [{ employee_id: "EE_1", action: "update", hourly_rate: -1, name: ["Jane"] }],
      {
        "employees[0].name": "Must be a string",
        "employees[0].hourly_rate": "Must be a positive number",
      },
    ],
    [
      "a termination before the hire",
      [hire({ action: "terminate", termination_date: "2024-01-31" })],
      { "employees[0].termination_date": "Must not be before hire_date" },
    ],
    ["who is no object", ["EE_1" as unknown as Json], { "employees[0]": "Must be an object" }],
  ])("are refused for %s", async (_what, employees, details) => {
    const key = await createDeveloper();
    const padding = "x".repeat(PARSE_UP_TO_BYTES);
    for (const body of [changes(key, employees), { padding, ...changes(key, employees) }]) {
      const answer = await submit(key, EMPLOYEES, body);
      expect(answer).toMatchObject({ status: 400, json: { message: "Invalid employee data" } });
      expect(answer.json.details).toEqual(details);
    }
    expect(await gateOf(key, "key").list(null, 10)).toEqual([]);
  });

  it("are rejected for one malformed date, with the message for dates", async () => {
    const key = await createDeveloper();
    const answer = await submit(key, EMPLOYEES, changes(key, [hire({ hire_date: "2026-02-30" })]));
    expect(answer).toMatchObject({
      status: 400,
      json: {
        message: "Invalid date format for employees[0].hire_date",
        details: { expected: "YYYY-MM-DD", received: "2026-02-30" },
      },
    });
  });

  it("are refused without an employer, or employees", async () => {
    const key = await createDeveloper();
    expect((await submit(key, EMPLOYEES, {})).json).toMatchObject({
      message: "Missing required fields: employer_id, employees",
      details: { required: ["employer_id", "employees"] },
    });
    expect((await submit(key, EMPLOYEES, changes(key, []))).json.details).toEqual({
      employees: "Must have at least one employee",
    });
  });

  it("are refused for an employer that is not granted to the key's owner", async () => {
    const key = await createDeveloper();
    const other = await createDeveloper({ owner_id: "other" });
    expect(await submit(key, EMPLOYEES, changes(other))).toMatchObject({
      status: 404,
      json: { error: "Could not resolve employer" },
    });
  });
});
