/**
 * Writes RFC 4180 CSV (CRLF, quotes doubled) that is safe to open in a spreadsheet:
 * text that a spreadsheet would run as a formula is prefixed with an apostrophe.
 */

export type Cell = string | number | boolean | null | undefined;

/** Text that a spreadsheet reads as the start of a formula, including full-width forms and leading blanks. */
const FORMULA_START = /^[\s\p{Cc}]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/u;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/** One cell as it is written to the file. Numbers stay numbers, so that negative wages get no apostrophe. */
export function csvCell(value: Cell): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const disarmed = FORMULA_START.test(value) ? `'${value}` : value;
  return NEEDS_QUOTES.test(disarmed) ? `"${disarmed.replaceAll('"', '""')}"` : disarmed;
}

/** A whole file: the header line, then one line per row, each ending in CRLF. */
export function csvFile(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [columns, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}
