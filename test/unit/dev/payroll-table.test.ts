import { describe, expect, it } from "vitest";
import { csvFile } from "../../../dev/files-creator/csv.ts";
import { type PayrollTable, parseReport } from "../../../dev/files-creator/payroll-table.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function tableOf(body: unknown): PayrollTable {
  const parsed = parseReport(bytes(body));
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.table;
}

function records(table: PayrollTable): Record<string, unknown>[] {
  return table.rows.map((row) =>
    Object.fromEntries(
      table.columns.map((column, i) => [column, row[i]] as const).filter(([, cell]) => cell != null),
    ),
  );
}

describe("parseReport", () => {
  it("reads the dialect with pay_period and class_code", () => {
    const table = tableOf({
      employer_fein: "12-3456789",
      policy_number: "WC1",
      employees: [
        {
          first_name: "John",
          last_name: "Doe",
          class_code: "8810",
          state: "CA",
          gross_wages: 5000,
          hours_worked: 80,
        },
      ],
      pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
    });
    expect(records(table)).toEqual([
      {
        employer_fein: "12-3456789",
        policy_number: "WC1",
        period_start: "2026-03-01",
        period_end: "2026-03-15",
        first_name: "John",
        last_name: "Doe",
        class_code: "8810",
        state: "CA",
        gross_wages: 5000,
        hours_worked: 80,
      },
    ]);
  });

  it("reads the dialect with period_start and classification_code", () => {
    const table = tableOf({
      employer_id: "EMP_1",
      period_start: "2026-01-01",
      period_end: "2026-03-31",
      employees: [
        {
          employee_id: "EE_1",
          name: "Jane Roe",
          classification_code: "8810",
          hours_worked: 520,
          gross_wages: 1,
        },
      ],
      payroll_data: { total_payroll: 1 },
    });
    expect(records(table)).toEqual([
      {
        employer_id: "EMP_1",
        period_start: "2026-01-01",
        period_end: "2026-03-31",
        employee_id: "EE_1",
        name: "Jane Roe",
        class_code: "8810",
        hours_worked: 520,
        gross_wages: 1,
      },
    ]);
  });

  it("keeps an employee's other fields in columns of their own", () => {
    const table = tableOf({
      employees: [
        { name: "A", bonus: { q1: 5 } },
        { name: "B", hire_date: "2026-02-01" },
      ],
    });
    expect(table.columns.slice(-2)).toEqual(["bonus", "hire_date"]);
    expect(records(table)).toEqual([
      { name: "A", bonus: '{"q1":5}' },
      { name: "B", hire_date: "2026-02-01" },
    ]);
  });

  it("bounds the number of extra columns", () => {
    const wide = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field_${i}`, i]));
    expect(tableOf({ employees: [wide] }).columns.length).toBeLessThan(100);
  });

  it("counts entries that are not objects and writes the others", () => {
    const table = tableOf({ employees: [{ name: "A" }, 7, null, "x", { name: "B" }, []] });
    expect(table).toMatchObject({ total: 6, unreadable: [1, 2, 3, 5] });
    expect(records(table)).toEqual([{ name: "A" }, { name: "B" }]);
  });

  it("writes a file with one line for each employee", () => {
    const table = tableOf({ employees: [{ name: "A" }, { name: "B" }, { name: "C" }] });
    expect(csvFile(table.columns, table.rows).split("\r\n")).toHaveLength(1 + 3 + 1);
  });

  it.each([
    ["text that is not JSON", new TextEncoder().encode("employees"), "Invalid JSON body"],
    ["bytes that are not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), "Invalid JSON body"],
    ["an empty body", new Uint8Array(), "Invalid JSON body"],
    ["an array", bytes([{ name: "A" }]), "Missing or empty employees array"],
    ["null", bytes(null), "Missing or empty employees array"],
    ["no employees", bytes({ employer_id: "E" }), "Missing or empty employees array"],
    ["an empty employees array", bytes({ employees: [] }), "Missing or empty employees array"],
    ["employees that are no array", bytes({ employees: { 0: {} } }), "Missing or empty employees array"],
  ])("refuses %s", (_, body, error) => {
    expect(parseReport(body)).toMatchObject({ ok: false, error });
  });
});
