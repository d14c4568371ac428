/**
 * A JSON body as other programs print it after they have parsed it. A sender that signs its own print and sends another one
 * signs different bytes. The members keep their order. Pure.
 */
import { shapeOf } from "../../http/json-shape.ts";
import { MAX_DEPTH } from "../validate-body.ts";

/** A real report of 64 KB has fewer. */
const MAX_VALUES = 10_000;
const LONGEST_INDENT = 4;
/** With its white space, a print may be this many times as long as the body. */
const LONGEST_PRINT = 4;

/** How a program prints. */
interface Style {
  /** After each comma and bracket; null for a print on one line. */
  indent: number | null;
  /** On one line: after a comma, and after a colon. */
  blank: "" | " ";
  newline: "\n" | "\r\n";
  numbers: (source: string) => string;
  strings: (text: string) => string;
}

const COMPACT = { indent: null, blank: "", newline: "\n" } as const;
const SPACED = { indent: null, blank: " ", newline: "\n" } as const;
const TWO = { indent: 2, blank: " ", newline: "\n" } as const;
const FOUR = { indent: LONGEST_INDENT, blank: " ", newline: "\n" } as const;

/** The usual ones first. */
const STYLES: Style[] = [
  // JSON.stringify
  { ...COMPACT, numbers: scriptNumber, strings: scriptString },
  // json.dumps in Python
  { ...SPACED, numbers: pythonNumber, strings: asciiString },
  // Programs that keep numbers as they were written, such as jq
  { ...COMPACT, numbers: asWritten, strings: scriptString },
  { ...COMPACT, numbers: pythonNumber, strings: asciiString },
  { ...TWO, numbers: scriptNumber, strings: scriptString },
  { ...TWO, numbers: asWritten, strings: scriptString },
  { ...FOUR, numbers: scriptNumber, strings: scriptString },
  { ...TWO, numbers: pythonNumber, strings: asciiString },
  { ...FOUR, numbers: pythonNumber, strings: asciiString },
  // json.dumps with ensure_ascii=False
  { ...SPACED, numbers: pythonNumber, strings: scriptString },
  { ...COMPACT, numbers: pythonNumber, strings: scriptString },
  // json_encode in PHP
  { ...COMPACT, numbers: scriptNumber, strings: phpString },
  { ...FOUR, numbers: scriptNumber, strings: phpString },
  // System.Text.Json in .NET
  { ...COMPACT, numbers: asWritten, strings: dotNetString },
  { ...TWO, numbers: asWritten, strings: dotNetString },
  { ...TWO, newline: "\r\n", numbers: asWritten, strings: dotNetString },
];

/** The different prints of `body`, the usual ones first. None for a body that is no JSON, is nested too deep, or holds too many values. */
export function* reprinted(body: Uint8Array): Generator<string, void> {
  const { depth, values } = shapeOf(body);
  if (depth > MAX_DEPTH || values > MAX_VALUES) return;
  const text = jsonText(body);
  if (text === null) return;
  const tokens = tokensOf(text);
  const seen = new Set([text]);
  for (const style of STYLES) {
    const white = values * ((style.indent ?? 0) * depth + 2);
    if (body.byteLength + white > LONGEST_PRINT * Math.max(body.byteLength, 16 * 1024)) continue;
    const print = printed(tokens, style);
    if (seen.has(print)) continue;
    seen.add(print);
    yield print;
  }
}

/** Null if the bytes are no JSON in UTF-8. */
function jsonText(body: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s"[\]{},:]+/g;

function tokensOf(json: string): string[] {
  return json.match(TOKEN) ?? [];
}

/** Walks the tokens once, without recursion. */
function printed(tokens: readonly string[], style: Style): string {
  const memo = new Map<string, string>();
  const isOneLine = style.indent === null;
  const line = (level: number) => (isOneLine ? "" : style.newline + " ".repeat((style.indent ?? 0) * level));
  const separator = isOneLine ? style.blank : "";
  let level = 0;
  let text = "";
  let before = "";
  for (const token of tokens) {
    const opened = before === "{" || before === "[";
    if (token === "}" || token === "]") {
      level--;
      text += (opened ? "" : line(level)) + token;
    } else if (token === ",") text += `,${separator}${line(level)}`;
    else if (token === ":") text += `:${style.blank}`;
    else {
      if (opened) text += line(level);
      if (token === "{" || token === "[") {
        level++;
        text += token;
      } else {
        const value = memo.get(token) ?? scalar(token, style);
        memo.set(token, value);
        text += value;
      }
    }
    before = token;
  }
  return text;
}

function scalar(token: string, { numbers, strings }: Style): string {
  if (token.startsWith('"')) return strings(String(JSON.parse(token)));
  return /^[-\d]/.test(token) ? numbers(token) : token;
}

function asWritten(source: string): string {
  return source;
}

function scriptNumber(source: string): string {
  return JSON.stringify(Number(source));
}

/** Integers stay as they are, all others are floats: `5000.00` becomes `5000.0`, `1e2` becomes `100.0`. */
function pythonNumber(source: string): string {
  if (/^-?\d+$/.test(source)) return source === "-0" ? "0" : source;
  const value = Number(source);
  if (value === 0) return source.startsWith("-") ? "-0.0" : "0.0";
  if (!Number.isFinite(value)) return String(value);
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  if (Number(exponent) >= -4 && Number(exponent) < 16) {
    const fixed = String(value);
    return fixed.includes(".") ? fixed : `${fixed}.0`;
  }
  return `${digits}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, "0")}`;
}

function scriptString(text: string): string {
  return JSON.stringify(text);
}

function asciiString(text: string): string {
  return JSON.stringify(text).replace(/[\x7f-\uffff]/g, escaped);
}

function phpString(text: string): string {
  return JSON.stringify(text)
    .replaceAll("/", "\\/")
    .replace(/[\x80-\uffff]/g, escaped);
}

function dotNetString(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', "\\u0022");
  return `"${inner.replace(/['&<>+`\x7f-\uffff]/g, (char) => `\\u${hexOf(char).toUpperCase()}`)}"`;
}

function escaped(char: string): string {
  return `\\u${hexOf(char)}`;
}

function hexOf(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(4, "0");
}
