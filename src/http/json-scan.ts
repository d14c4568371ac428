/**
 * Scans a JSON text without building its value and reports everything that a parser would reject, lose or change: syntax
 * errors with their position, a name that appears twice in its object (compared unescaped), a lone surrogate, NUL, a number
 * that a double cannot represent, and nesting too deep for other parsers. Pure.
 */

export type FindingKind = "syntax" | "repeated_name" | "lone_surrogate" | "nul" | "number" | "depth";

export interface Finding {
  kind: FindingKind;
  /** In the form of error details: `events[0].data.amount`; empty for the whole text. */
  path: string;
  /** The position in the text, in UTF-16 units from 0. */
  at: number;
  problem: string;
}

/** Python's parser stops at a thousand levels; far deeper, `JSON.stringify` runs out of stack. */
const MAX_DEPTH = 100;
/** Limits the findings of all kinds except syntax errors. */
export const MAX_FINDINGS = 100;
/** The most characters of a number or a name that an error repeats. */
const REPEATED_CHARS = 40;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
/** What may directly follow a number or literal. */
const DELIMITER = /[\s,:\]}]|$/y;
const HEX_DIGITS = /[0-9a-fA-F]{4}/y;

/** One open object or array. */
interface Open {
  /** The names seen so far; null in an array. */
  names: Set<string> | null;
  /** The name or index of the member being read. */
  at: string | number;
}

export type Expected = "value" | "value or ]" | "name" | "name or }" | ":" | ", or ]" | ", or }" | "end";

/** Findings in the order of the text. A syntax error or too deep nesting ends the scan and is the last finding. */
export function scanJson(text: string): Finding[] {
  const findings: Finding[] = [];
  const open: Open[] = [];
  let expected: Expected = "value";
  let comma = -1;
  let i = 0;

  const report = (kind: FindingKind, at: number, problem: string): Finding[] => {
    if (findings.length < MAX_FINDINGS || kind === "syntax")
      findings.push({ kind, path: pathOf(open), at, problem });
    return findings;
  };
  const afterValue = (): Expected => {
    const inside = open.at(-1);
    if (inside === undefined) return "end";
    return inside.names === null ? ", or ]" : ", or }";
  };

  for (;;) {
    while (isSpace(text.charCodeAt(i))) i++;
    if (i >= text.length)
      return expected === "end"
        ? findings
        : report("syntax", i, "The text ends before the value is complete");
    const char = text[i];
    if ((char === "}" || char === "]") && comma >= 0)
      return report("syntax", comma, `Remove the trailing comma before ${char}`);
    const valueMayStandHere = expected === "value" || expected === "value or ]";
    const nameMayStandHere: boolean = expected === "name" || expected === "name or }";
    const isEnd = char === "}" ? expected.endsWith("}") : char === "]" && expected.endsWith("]");
    if (char === "," && expected.startsWith(",")) {
      const inside = open.at(-1);
      if (typeof inside?.at === "number") inside.at++;
      comma = i++;
      expected = inside?.names ? "name" : "value";
      continue;
    }
    comma = -1;
    if ((char === "{" || char === "[") && valueMayStandHere) {
      if (open.length === MAX_DEPTH) return report("depth", i, `Nested deeper than ${MAX_DEPTH} levels`);
      open.push(char === "{" ? { names: new Set(), at: "" } : { names: null, at: 0 });
      expected = char === "{" ? "name or }" : "value or ]";
      i++;
    } else if (isEnd) {
      open.pop();
      expected = afterValue();
      i++;
    } else if (char === ":" && expected === ":") {
      expected = "value";
      i++;
    } else if (char === '"' && (nameMayStandHere || valueMayStandHere)) {
      const end = endOfString(text, i);
      if (typeof end !== "number") return report("syntax", end.at, end.problem);
      const token = text.slice(i, end);
      const string = token.includes("\\") ? String(JSON.parse(token)) : token.slice(1, -1);
      const inside = open.at(-1);
      if (nameMayStandHere && inside?.names) {
        inside.at = string;
        if (inside.names.has(string)) report("repeated_name", i, "This name appears twice in its object");
        inside.names.add(string);
      }
      if (!string.isWellFormed())
        report("lone_surrogate", i, "Contains half of a surrogate pair, such as \\ud83d alone");
      if (string.includes("\0")) report("nul", i, "Contains the NUL character (\\u0000)");
      expected = nameMayStandHere ? ":" : afterValue();
      i = end;
    } else if (valueMayStandHere) {
      const number = matchAt(NUMBER, text, i);
      const token = number ?? matchAt(LITERAL, text, i);
      if (token === null || matchAt(DELIMITER, text, i + token.length) === null)
        return report("syntax", i, unexpected(text, i, expected));
      if (number !== null && !survives(number))
        report("number", i, `${shortened(number)} loses digits as a JSON number; send it as a string`);
      expected = afterValue();
      i += token.length;
    } else return report("syntax", i, unexpected(text, i, expected));
  }
}

/** Line and column from 1; columns in UTF-16 units, as editors count them. */
export function placeOf(text: string, at: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0 && end < at; end = text.indexOf("\n", end + 1)) {
    line++;
    start = end + 1;
  }
  return { line, column: at - start + 1 };
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** The position after the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number | { at: number; problem: string } {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) return i + 1;
    if (code === 0x5c) {
      const escaped = text[i + 1] ?? " ";
      const isEscape =
        escaped === "u" ? matchAt(HEX_DIGITS, text, i + 2) !== null : '"\\/bfnrt'.includes(escaped);
      if (!isEscape)
        return { at: i, problem: "Unknown escape sequence: write a backslash in a string as \\\\" };
      i += escaped === "u" ? 5 : 1;
    } else if (code < 0x20) {
      const hex = code.toString(16).padStart(4, "0");
      const name =
        code === 0x0a || code === 0x0d ? "A line break" : code === 0x09 ? "A tab" : "A control character";
      const escaped = code === 0x0a ? "\\n" : code === 0x0d ? "\\r" : code === 0x09 ? "\\t" : `\\u${hex}`;
      return { at: i, problem: `${name} in a string must be written as ${escaped}` };
    }
  }
  return { at: text.length, problem: "The text ends inside a string" };
}

function unexpected(text: string, at: number, expected: Expected): string {
  return unexpectedProblem(text.slice(at, at + REPEATED_CHARS), at === 0, expected);
}

/**
 * Describes the unexpected text at the start of `rest`, recognising the usual mistakes of people and tools. `isStart` means
 * that nothing precedes it. Quotes only known words, never content.
 */
export function unexpectedProblem(rest: string, isStart: boolean, expected: Expected): string {
  const [word = ""] = /^-?[A-Za-z_$][\w$]*/.exec(rest) ?? [];
  if (/^-?(?:NaN|Infinity)$/.test(word) || word === "undefined")
    return `${word} is not a JSON value: send null, or leave the field out`;
  if (/^(?:None|True|False)$/.test(word))
    return `${word} is Python's: JSON writes ${word === "None" ? "null" : word.toLowerCase()}`;
  if (rest.startsWith("'")) return "Single quotes: JSON names and strings use double quotes";
  if (/^[“”„‘’«»]/.test(rest))
    return 'Typographic quotes: JSON names and strings use plain double quotes (")';
  if (/^(?:\/\/|\/\*|#)/.test(rest)) return "JSON has no comments";
  if (isStart && rest.startsWith("<")) return "This looks like XML or HTML. Send JSON";
  if (isStart && /^[\w.%+-]+=/.test(rest)) return "This looks like a form. Send JSON";
  if (expected === "name" || expected === "name or }")
    return word === "" ? "Expected a name in double quotes" : "Names must be in double quotes";
  if (expected === "value" || expected === "value or ]") {
    if (/^[-+.\d]/.test(rest))
      return "Not a JSON number: remove a leading +, zero or point, and put digits after the point and in the exponent";
    if (rest.startsWith(",")) return "Expected a value before the comma";
    return word === "" ? "Expected a value" : "Expected a value: strings must be in double quotes";
  }
  if (expected === "end") return "More text follows the JSON value: send one value";
  return expected === ":"
    ? "Expected a colon after the name"
    : `Expected ${expected.replace(",", "a comma")}`;
}

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

/**
 * Whether a number keeps its value through parsing and printing. Whole numbers must be exact. A fraction may become the
 * nearest double, as in every parser, unless that is infinite or zero.
 */
function survives(token: string): boolean {
  const value = Number(token);
  if (Number.isSafeInteger(value) && String(value) === token) return true;
  if (!Number.isFinite(value)) return false;
  const digits = significant(token);
  if (digits === "") return true;
  if (value === 0) return false;
  return digits === significant(String(value)) || hasFraction(token);
}

/** The digits of a number without sign, point, exponent, and zeros at either end. They distinguish close whole numbers. */
function significant(token: string): string {
  return token
    .replace(/[eE].*$/, "")
    .replace(/[-.]/g, "")
    .replace(/^0+/, "")
    .replace(/0+$/, "");
}

/** Whether a number has digits after the point that its exponent does not move before it. */
function hasFraction(token: string): boolean {
  const [mantissa = "", exponent = "0"] = token.split(/[eE]/);
  const behindThePoint = (mantissa.split(".")[1] ?? "").replace(/0+$/, "").length;
  const zerosBefore = behindThePoint === 0 ? (/0*$/.exec(mantissa.split(".")[0] ?? "")?.[0].length ?? 0) : 0;
  return behindThePoint - zerosBefore > Number(exponent);
}

function pathOf(open: readonly Open[]): string {
  let path = "";
  for (const { at } of open) {
    if (typeof at === "number") path += `[${at}]`;
    else if (at !== "") path += path === "" ? shortened(at) : `.${shortened(at)}`;
  }
  return path;
}

function shortened(text: string): string {
  return text.length > REPEATED_CHARS ? `${text.slice(0, REPEATED_CHARS)}…` : text;
}
