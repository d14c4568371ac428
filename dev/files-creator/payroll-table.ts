/**
 * Turns the body of a report into a table: one row per employee, in either body dialect.
 * Known fields have fixed columns; all other fields of an employee are appended, so that nothing is dropped.
 */

import * as z from "zod";
import type { Cell } from "./csv.ts";

const report = z.looseObject({ employees: z.array(z.unknown()).min(1) });
const employee = z.record(z.string(), z.unknown());

const REPORT_COLUMNS = [
  "employer_fein",
  "employer_id",
  "policy_number",
  "period_start",
  "period_end",
] as const;
const EMPLOYEE_COLUMNS = [
  "employee_id",
  "first_name",
  "last_name",
  "name",
  "class_code",
  "state",
  "hours_worked",
  "gross_wages",
] as const;

/** The other dialect's word for a column. */
const SYNONYMS = new Map([["classification_code", "class_code"]]);

/** Thousands of different field names would make a table that nobody can open. */
const MAX_EXTRA_COLUMNS = 50;

export interface PayrollTable {
  columns: string[];
  rows: Cell[][];
  /** How many entries `employees` had. */
  total: number;
  /** Positions of entries that are not objects and therefore have no row. */
  unreadable: number[];
}

export type ParsedReport = { ok: true; table: PayrollTable } | { ok: false; error: string; message: string };

/** Reads the raw bytes of a report. Anything but a JSON object with employees is rejected. */
export function parseReport(bytes: ArrayBuffer | Uint8Array): ParsedReport {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    return { ok: false, error: "Invalid JSON body", message: "The body must be a JSON object in UTF-8." };
  }
  const parsed = report.safeParse(body);
  if (!parsed.success) {
    return {
      ok: false,
      error: "Missing or empty employees array",
      message: "The body must be a JSON object whose employees is an array with at least one entry.",
    };
  }
  return { ok: true, table: tabulate(parsed.data) };
}

function tabulate(body: z.infer<typeof report>): PayrollTable {
  const shared = reportCells(body);
  const records: Map<string, Cell>[] = [];
  const unreadable: number[] = [];
  const extras = new Set<string>();
  for (const [position, entry] of body.employees.entries()) {
    const parsed = employee.safeParse(entry);
    if (!parsed.success) {
      unreadable.push(position);
      continue;
    }
    const record = employeeCells(parsed.data);
    for (const column of record.keys()) {
      if (extras.size < MAX_EXTRA_COLUMNS && !isFixed(column)) extras.add(column);
    }
    records.push(record);
  }
  const own = [...EMPLOYEE_COLUMNS, ...extras];
  return {
    columns: [...REPORT_COLUMNS, ...own],
    rows: records.map((record) => [...shared, ...own.map((column) => record.get(column))]),
    total: body.employees.length,
    unreadable,
  };
}

function reportCells(body: z.infer<typeof report>): Cell[] {
  const period = employee.safeParse(body.pay_period).data ?? {};
  return [
    cell(body.employer_fein),
    cell(body.employer_id),
    cell(body.policy_number),
    cell(body.period_start ?? period.start_date),
    cell(body.period_end ?? period.end_date),
  ];
}

function employeeCells(entry: z.infer<typeof employee>): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const [field, value] of Object.entries(entry)) {
    const column = SYNONYMS.get(field) ?? field;
    const known = cells.get(column);
    if (known === undefined || known === null || known === "") cells.set(column, cell(value));
  }
  return cells;
}

function isFixed(column: string): boolean {
  return (EMPLOYEE_COLUMNS as readonly string[]).includes(column);
}

function cell(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return JSON.stringify(value);
}
