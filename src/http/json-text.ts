/**
 * JSON as it arrives, read without repairing anything: what is not UTF-8, or would not be printed as it was sent, is refused
 * and named with its place. Whatever is accepted survives parsing and printing in value, and from the first printing on in
 * bytes. Pure.
 */
import { err, ok, type Result } from "../result.ts";
import type { Details } from "./errors.ts";
import type { Failure } from "./failure.ts";
import { placeOf, scanJson } from "./json-scan.ts";

/** `subject` begins the message: what the bytes are to the caller, such as "The body". Their first line is `firstLine`. */
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
  // What ends the walk is the last finding: of a text that does not parse, bad syntax, or nesting too deep to look for it.
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
  // Without a prototype, so that a field named `__proto__` is named as well.
  const details: Record<string, string> = Object.create(null);
  for (const { path, problem } of findings) details[path || "body"] ??= problem;
  return err({ kind: "invalid_fields", details });
}

/** What the first bytes say of another encoding; null for none. JSON begins with two ASCII characters, or one alone. */
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

/** The offset of the first byte that no well-formed sequence continues with or begins with (Unicode 16, table 3-7). */
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
