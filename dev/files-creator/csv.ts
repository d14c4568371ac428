/**
 * Writes RFC 4180 CSV (CRLF, quotes doubled) that is safe to open in a spreadsheet:
 * text that a spreadsheet would run as a formula is prefixed with an apostrophe.
 */

export type Cell = string | number | boolean | null | undefined;

/** What a spreadsheet takes for the start of a formula, full-width forms and leading blanks included. */
const FORMULA_START = /^[\s\p{Cc}]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/u;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/** One cell as it stands in the file. Numbers stay numbers, so that negative wages are not disarmed. */
export function csvCell(value: Cell): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const disarmed = FORMULA_START.test(value) ? `'${value}` : value;
  return NEEDS_QUOTES.test(disarmed) ? `"${disarmed.replaceAll('"', '""')}"` : disarmed;
}

/** A whole file: the header line, then one line for each row, each ended by CRLF. */
export function csvFile(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [columns, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}
