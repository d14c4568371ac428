/**
 * Parses JSON without repairing anything. A text that is not UTF-8, or that would be printed differently from how it was
 * sent, is rejected with the position of the problem. An accepted text keeps its value through parsing and printing; from
 * the first printing on, it keeps its bytes as well. Pure.
 */
import { err, ok, type Result } from "../result.ts";
import type { Details } from "./errors.ts";
import type { Failure } from "./failure.ts";
import { placeOf, scanJson } from "./json-scan.ts";

/** `subject` begins the message and names the bytes, such as "The body". `firstLine` is the number of their first line. */
export function readJsonBytes(bytes: Uint8Array, subject: string, firstLine = 1): Result<unknown, Failure> {
  const misencoded = encodingProblem(bytes);
  if (misencoded !== null) return unreadable(`${subject} ${misencoded}`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return invalidUtf8(bytes, subject, firstLine);
  }
  return readJson(text, subject, firstLine);
}

export function readJson(text: string, subject: string, firstLine = 1): Result<unknown, Failure> {
  let value: unknown;
  let parses = true;
  try {
    value = JSON.parse(text);
  } catch {
    parses = false;
  }
  const findings = scanJson(text);
  // The last finding is what ended the scan. If the text does not parse, it is a syntax error or nesting that is too deep.
  const end = findings.at(-1);
  const syntax = end?.kind === "syntax" || end?.kind === "depth" ? end : undefined;
  if (!parses) {
    if (syntax === undefined) return unreadable(`${subject} is not valid JSON.`);
    const place = placeOf(text, syntax.at);
    const line = place.line + firstLine - 1;
    const { column } = place;
    const within = syntax.path === "" || syntax.kind === "depth" ? "" : ` (${syntax.path})`;
    const problem = `${subject} is not valid JSON: line ${line}, column ${column}${within}: ${syntax.problem}.`;
    return unreadable(problem, { line, column });
  }
  if (findings.length === 0) return ok(value);
  // Has no prototype, so that it can hold a field named `__proto__`.
  const details: Record<string, string> = Object.create(null);
  for (const { path, problem } of findings) details[path || "body"] ??= problem;
  return err({ kind: "invalid_fields", details });
}

/** Detects another encoding from the first bytes; null if there is none. JSON begins with two ASCII characters, or is one. */
export function encodingProblem([a, b, c]: Uint8Array): string | null {
  if (a === 0xef && b === 0xbb && c === 0xbf)
    return "begins with a byte order mark (EF BB BF). Send UTF-8 without one.";
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return "is encoded as UTF-16. Send UTF-8.";
  if (a === 0x1f && b === 0x8b) return "is compressed with gzip. Send it uncompressed.";
  if (b === 0 || (a === 0 && b !== undefined)) return "is encoded as UTF-16 or UTF-32. Send UTF-8.";
  return null;
}

function invalidUtf8(bytes: Uint8Array, subject: string, firstLine: number) {
  const at = firstInvalidByte(bytes);
  const before = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes.subarray(0, at));
  const place = placeOf(before, before.length);
  const line = place.line + firstLine - 1;
  const { column } = place;
  const [end] = scanJson(before).slice(-1);
  const within = end === undefined || end.path === "" ? "" : ` (${end.path})`;
  const hex = (bytes[at] ?? 0).toString(16).toUpperCase().padStart(2, "0");
  const problem = `${subject} is not valid UTF-8: line ${line}, column ${column}${within}: the byte ${hex} is invalid there. Encode the text as UTF-8.`;
  return unreadable(problem, { line, column, byte: at });
}

function unreadable(problem: string, details?: Details): Result<never, Failure> {
  return err(
    details === undefined
      ? { kind: "unreadable_body", problem }
      : { kind: "unreadable_body", problem, details },
  );
}

/** The offset of the first byte that is not part of a well-formed sequence (Unicode 16, table 3-7). */
export function firstInvalidByte(bytes: Uint8Array): number {
  for (let i = 0; i < bytes.byteLength; ) {
    const lead = bytes[i] ?? 0;
    const length =
      lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length === 0) return i;
    for (let j = 1; j < length; j++) {
      const low = j > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
      const high = j > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
      const byte = bytes[i + j];
      if (byte === undefined || byte < low || byte > high) return i;
    }
    i += length;
  }
  return bytes.byteLength;
}
