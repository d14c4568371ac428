/** A pasted or chosen list of employers as the lines of an import: NDJSON as it is, CSV line by line. Pure. */
import { err, ok, type Result } from "../../../../result.ts";
import { ownerIn } from "./employer-values.ts";

/** By the line of the list in which it stands. */
export interface LineProblem {
  line: number;
  message: string;
}

export interface ImportLines {
  /** Has as many lines as the list: a problem's number is that of the list. */
  lines: string[];
  /** Lines that could not be read, and are empty above. */
  problems: LineProblem[];
}

const COLUMNS = ["id", "name", "fein", "owners"] as const;
type Column = (typeof COLUMNS)[number];

/** In place of owners: withdraws all grants. An empty field leaves them as they are. */
export const NO_OWNERS = "none";

/** The problem is one of the whole list. */
export function importLinesOf(list: string): Result<ImportLines, string> {
  const text = list.replace(/^\uFEFF/, "");
  if (text.trim() === "") return err("The list is empty.");
  if (text.trimStart().startsWith("{"))
    return ok({ lines: text.replace(/\r?\n$/, "").split(/\r?\n/), problems: [] });
  return csvLines(text);
}

function csvLines(text: string): Result<ImportLines, string> {
  const separator = separatorOf(text);
  const [head, ...records] = recordsOf(text, separator);
  const columns = head?.fields.map((name) => name.trim().toLowerCase()) ?? [];
  const unknown = columns.find((name) => !COLUMNS.some((each) => each === name));
  if (unknown !== undefined || !columns.includes("id") || !columns.includes("name"))
    return err(
      `The first line must name the columns, of ${COLUMNS.join(", ")}: id and name are required.${
        unknown === undefined ? "" : ` It has “${unknown.slice(0, 40)}”.`
      }`,
    );
  if (new Set(columns).size < columns.length) return err("The first line names a column twice.");
  const lines: string[] = Array.from({ length: head?.lines ?? 1 }, () => "");
  const problems: LineProblem[] = [];
  for (const record of records) {
    const line = lines.length + 1;
    const read = employerOf(record, columns as Column[]);
    if (!read.ok) problems.push({ line, message: read.error });
    lines.push(read.ok ? read.value : "", ...Array.from({ length: record.lines - 1 }, () => ""));
  }
  return ok({ lines, problems });
}

/** Spreadsheets separate by what their country does not use within numbers. */
function separatorOf(text: string): string {
  const head = text.slice(0, text.indexOf("\n") + 1 || text.length);
  return [",", ";", "\t"].find((each) => head.includes(each)) ?? ",";
}

interface CsvRecord {
  fields: string[];
  /** A quoted field may hold line breaks. */
  lines: number;
  isOpen: boolean;
}

/** RFC 4180. */
function recordsOf(text: string, separator: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let at = 0;
  while (at < text.length) {
    const record: CsvRecord = { fields: [], lines: 1, isOpen: false };
    for (let isEnd = false; !isEnd; ) {
      const field = fieldAt(text, at, separator);
      record.fields.push(field.value);
      record.lines += field.value.split("\n").length - 1;
      record.isOpen ||= field.isOpen;
      isEnd = text[field.end] !== separator;
      at = field.end + 1;
    }
    records.push(record);
  }
  return records;
}

/** `end`: the position of the separator or line break after it. */
function fieldAt(text: string, start: number, separator: string) {
  const isQuoted = text[start] === '"';
  const close = isQuoted ? closingQuote(text, start) : start;
  if (close < 0) return { value: text.slice(start + 1), end: text.length, isOpen: true };
  const quoted = isQuoted ? text.slice(start + 1, close).replaceAll('""', '"') : "";
  const after = isQuoted ? close + 1 : start;
  let end = after;
  while (end < text.length && text[end] !== separator && text[end] !== "\n") end++;
  return { value: `${quoted}${text.slice(after, end).replace(/\r$/, "")}`, end, isOpen: false };
}

/** Negative if there is none. A doubled quote is part of the field. */
function closingQuote(text: string, start: number): number {
  let close = text.indexOf('"', start + 1);
  while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  return close;
}

/** Empty for an empty line. */
function employerOf({ fields, isOpen }: CsvRecord, columns: readonly Column[]): Result<string, string> {
  if (fields.every((field) => field.trim() === "")) return ok("");
  if (isOpen) return err('A quoted field has no end: " is missing.');
  if (fields.length !== columns.length)
    return err(
      `The line has ${fields.length === 1 ? "one field" : `${fields.length} fields`}, and the first line names ${columns.length}.`,
    );
  const fieldOf = (column: Column) => fields[columns.indexOf(column)]?.trim() ?? "";
  const owners = fieldOf("owners");
  return ok(
    JSON.stringify({
      id: fieldOf("id"),
      name: fieldOf("name"),
      ...(fieldOf("fein") !== "" && { fein: fieldOf("fein") }),
      ...(owners !== "" && { owners: ownersOf(owners) }),
    }),
  );
}

function ownersOf(text: string): object[] {
  return text === NO_OWNERS ? [] : text.split(/[\s;|]+/).map(ownerIn);
}
