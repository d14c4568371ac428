/** The registry of public errors, one row for each cause, and the search in it. Pure. */
import { ERRORS } from "../../../http/errors.ts";

export interface ErrorRow {
  status: number;
  error: string;
  code: string;
  cause: string;
  fix: string;
}

/** By status and code. Errors that differ only in their message are one. */
export function errorRows(): ErrorRow[] {
  const rows = new Map<string, ErrorRow>();
  for (const { status, error, code, cause, fix } of Object.values(ERRORS))
    rows.set([status, error, code, cause, fix].join("\n"), { status, error, code, cause, fix });
  return [...rows.values()].sort((a, b) => a.status - b.status || a.code.localeCompare(b.code));
}

/** Whether the row has every word of `words`, in any case and order. */
export function matchesWords(row: ErrorRow, words: string): boolean {
  const text = Object.values(row).join(" ").replaceAll("`", "").toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
