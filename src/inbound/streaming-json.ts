/**
 * Reads a JSON document from its bytes without building it. It keeps the top level's scalars, the fields of a few named
 * objects, and one element at a time of one array. It decides whether a report is JSON, and where it is not; `JSON.parse`
 * is the fast path for small reports with nothing to report.
 *
 * The bytes must be UTF-8. On the way it finds what another parser could read differently: a name that appears twice in
 * its object, half of a surrogate pair, NUL. A deciding name may not appear twice.
 */
import { type Expected, unexpectedProblem } from "../http/json-scan.ts";
import {
  codeUnit,
  decoder,
  endOfNumber,
  isDelimited,
  isDigit,
  isLowSurrogate,
  NameTable,
  startsWith,
  unescaped,
} from "./json-bytes.ts";

/** Placeholders for containers that are not kept. */
const OPAQUE_ARRAY: readonly unknown[] = Object.freeze([]);
const OPAQUE_OBJECT: object = Object.freeze({});

export const STANDS_TWICE = "This name appears twice in its object; parsers may use either value";
export const LONE_SURROGATE = "Contains half of a surrogate pair, such as the rest of a truncated emoji";
export const HOLDS_NUL = "Contains the NUL character (\\u0000)";

export interface StreamingJsonOptions {
  maxDepth: number;
  /** The top-level array whose elements are passed to `onElement`. */
  listed: string;
  /** The fields that are kept, at the top level, in nested objects and in listed elements. */
  fields: ReadonlySet<string>;
  /** The top-level objects whose scalar fields are kept. */
  nested: readonly string[];
  /** Names that may not appear twice: `name`, `nested.name`, `listed[].name`. */
  deciding: ReadonlySet<string>;
  /** Called with each element of the listed array: an object with its kept fields, a scalar, or an empty array. */
  onElement(index: number, element: unknown): void;
  /** Called for what another parser could read differently. The document is accepted all the same. */
  onOddity(path: string, oddity: string): void;
}

/** Thrown for a document that is refused. The message is for the sender and repeats none of its content. */
export class JsonRefused extends Error {}

/** Thrown for a document that is not JSON. */
export class JsonSyntaxError extends JsonRefused {
  /** The byte at which the document stops being JSON. */
  readonly at: number;

  constructor(at: number, problem: string) {
    super(problem);
    this.at = at;
  }
}

type Scalar = string | number | boolean | null;

/** Kept texts are cut at this length. No field that is checked may be longer. */
const LONGEST_KEPT_TEXT = 1_024;
/** Names remembered per object. In a larger object only deciding names are compared. */
const MAX_NAMES_COMPARED = 5_000;
/** A path repeats this much of a name. */
const LONGEST_PATH_NAME = 40;
/** Enough to recognise an unexpected token. */
const RECOGNISED_BYTES = 40;

const LITERALS: [name: string, value: boolean | null][] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

export class StreamingJson {
  /** The top level: its scalars, the kept fields of nested objects, `[]` for the listed array. Other containers are empty. */
  readonly top: Record<string, unknown> = emptyObject();
  /** The number of elements in the listed array; null if it is absent or not an array. */
  elements: number | null = null;
  /** Whether the document is an object. */
  isObject = false;

  readonly #body: Uint8Array;
  readonly #options: StreamingJsonOptions;
  readonly #names = new NameTable();
  readonly #containers: ("{" | "[")[] = [];
  /** Per container, the name or index of the member being read. */
  readonly #members: (string | number)[] = [];
  /** Per depth, the names seen in the current object. */
  readonly #seen: Set<string>[] = [];
  #at = 0;
  #expect: Expected = "value";
  /** The position of a comma that nothing has followed yet; otherwise -1. */
  #comma = -1;
  /** The nested object or listed element whose fields are being kept. */
  #kept: Record<string, unknown> | null = null;

  /** Throws {@link JsonRefused}. */
  constructor(body: Uint8Array, options: StreamingJsonOptions) {
    this.#body = body;
    this.#options = options;
    this.#read();
  }

  #read(): void {
    const body = this.#body;
    for (;;) {
      let byte = body[this.#at];
      while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = body[++this.#at];
      switch (byte) {
        case undefined:
          if (this.#expect !== "end") this.#fail(this.#at, "The text ends before the value is complete");
          return;
        case 0x22:
          this.#readString();
          break;
        case 0x7b:
          this.#openContainer("{");
          break;
        case 0x5b:
          this.#openContainer("[");
          break;
        case 0x7d:
          this.#closeContainer("}");
          break;
        case 0x5d:
          this.#closeContainer("]");
          break;
        case 0x3a:
          if (this.#expect !== ":") this.#unexpected();
          this.#expect = "value";
          this.#at++;
          break;
        case 0x2c:
          this.#readComma();
          break;
        default:
          this.#readNumberOrLiteral(byte);
      }
    }
  }

  #readComma(): void {
    if (this.#expect !== ", or ]" && this.#expect !== ", or }") this.#unexpected();
    const inside = this.#containers.length - 1;
    const member = this.#members[inside];
    if (typeof member === "number") this.#members[inside] = member + 1;
    this.#expect = this.#containers[inside] === "{" ? "name" : "value";
    this.#comma = this.#at++;
  }

  #readString(): void {
    const isName = this.#expect === "name" || this.#expect === "name or }";
    if (!isName && this.#expect !== "value" && this.#expect !== "value or ]") this.#unexpected();
    this.#comma = -1;
    const from = this.#at + 1;
    const { to, escaped, oddities } = this.#endOfString(from);
    this.#at = to + 1;
    if (isName) this.#readName(from, to, escaped);
    if (oddities.length > 0) for (const oddity of oddities) this.#options.onOddity(this.#path(), oddity);
    if (isName) return;
    if (this.#isKept()) this.#keep(this.#keptText(from, to, escaped));
    this.#afterValue();
  }

  /** The end of the string whose first character is at `from`, and its oddities. */
  #endOfString(from: number): { to: number; escaped: boolean; oddities: readonly string[] } {
    const body = this.#body;
    let escaped = false;
    let oddities = NONE;
    for (let i = from; ; i++) {
      const byte = body[i];
      if (byte === 0x22) return { to: i, escaped, oddities };
      if (byte === undefined) this.#fail(i, "The text ends inside a string");
      if (byte < 0x20) this.#fail(i, controlProblem(byte));
      if (byte !== 0x5c) continue;
      escaped = true;
      const kind = body[++i];
      if (kind === 0x75) {
        const unit = codeUnit(body, i + 1);
        if (unit === null) this.#fail(i - 1, BAD_ESCAPE);
        i += 4;
        if (unit === 0) oddities = withOddity(oddities, HOLDS_NUL);
        else if (unit >= 0xd800 && unit < 0xe000) {
          const isPair = unit < 0xdc00 && isLowSurrogate(body, i + 1);
          if (isPair) i += 6;
          else oddities = withOddity(oddities, LONE_SURROGATE);
        }
      } else if (kind === undefined || !SHORT_ESCAPES.includes(kind)) this.#fail(i - 1, BAD_ESCAPE);
    }
  }

  #readName(from: number, to: number, escaped: boolean): void {
    const name = escaped ? unescaped(this.#body, from, to) : this.#names.textOf(this.#body, from, to);
    const inside = this.#containers.length - 1;
    this.#members[inside] = name;
    this.#expect = ":";
    const seen = this.#seen[inside];
    if (seen === undefined) return;
    if (seen.has(name)) {
      if (this.#options.deciding.has(this.#role(name)))
        throw new JsonRefused(
          `\`${this.#role(name)}\` appears twice, so it is unclear which value counts. Send it once.`,
        );
      this.#options.onOddity(this.#path(), STANDS_TWICE);
    } else if (seen.size < MAX_NAMES_COMPARED || this.#options.deciding.has(this.#role(name))) seen.add(name);
  }

  /** The form in which {@link StreamingJsonOptions.deciding} lists a name of the current object. */
  #role(name: string): string {
    const depth = this.#containers.length;
    const [topName] = this.#members;
    if (depth === 1) return name;
    if (depth === 2 && this.#containers[1] === "{") return `${topName}.${name}`;
    return depth === 3 && this.#isInListed() ? `${topName}[].${name}` : "";
  }

  #readNumberOrLiteral(first: number): void {
    if (this.#expect !== "value" && this.#expect !== "value or ]") this.#unexpected();
    const from = this.#at;
    const end = first === 0x2d || isDigit(first) ? endOfNumber(this.#body, from) : null;
    if (end !== null && isDelimited(this.#body, end)) {
      this.#at = end;
      this.#readScalar(this.#isKept() ? Number(decoder.decode(this.#body.subarray(from, end))) : null);
      return;
    }
    for (const [name, value] of LITERALS) {
      if (!startsWith(this.#body, from, name) || !isDelimited(this.#body, from + name.length)) continue;
      this.#at = from + name.length;
      this.#readScalar(value);
      return;
    }
    this.#unexpected();
  }

  #readScalar(value: Scalar): void {
    this.#comma = -1;
    if (this.#isKept()) this.#keep(value);
    this.#afterValue();
  }

  #openContainer(bracket: "{" | "["): void {
    if (this.#expect !== "value" && this.#expect !== "value or ]") this.#unexpected();
    this.#comma = -1;
    const depth = this.#containers.length;
    const [topName] = this.#members;
    if (depth === this.#options.maxDepth)
      throw new JsonRefused(`The body is nested more than ${this.#options.maxDepth} levels deep.`);
    if (depth === 1 && topName === this.#options.listed && bracket === "[" && this.isObject) {
      this.elements = 0;
      this.top[topName] = OPAQUE_ARRAY;
    } else if (depth === 1 && bracket === "{" && this.#options.nested.includes(String(topName))) {
      this.#kept = emptyObject();
      this.top[String(topName)] = this.#kept;
    } else if (depth === 2 && bracket === "{" && this.#isInListed()) {
      this.#kept = emptyObject();
    } else if (this.#isKept()) {
      this.#keep(bracket === "[" ? OPAQUE_ARRAY : OPAQUE_OBJECT);
    }
    if (depth === 0) this.isObject = bracket === "{";
    this.#containers.push(bracket);
    this.#members[depth] = bracket === "{" ? "" : 0;
    if (bracket === "{") {
      const seen = this.#seen[depth];
      if (seen === undefined) this.#seen[depth] = new Set();
      else seen.clear();
    }
    this.#expect = bracket === "{" ? "name or }" : "value or ]";
    this.#at++;
  }

  #closeContainer(bracket: "}" | "]"): void {
    if (this.#comma >= 0) this.#fail(this.#comma, `Remove the trailing comma before ${bracket}`);
    const mayClose =
      bracket === "}"
        ? this.#expect === "name or }" || this.#expect === ", or }"
        : this.#expect === "value or ]" || this.#expect === ", or ]";
    if (!mayClose) this.#unexpected();
    this.#containers.pop();
    const depth = this.#containers.length;
    this.#members.length = depth;
    if (depth === 2 && this.#kept !== null && this.#isInListed()) {
      this.#passOn(this.#kept);
      this.#kept = null;
    } else if (depth === 1) {
      this.#kept = null;
    }
    this.#at++;
    this.#afterValue();
  }

  #isInListed(): boolean {
    return (
      this.#containers[1] === "[" && this.#containers[0] === "{" && this.#members[0] === this.#options.listed
    );
  }

  /** Whether the value being read is kept, or passed on. */
  #isKept(): boolean {
    const depth = this.#containers.length;
    if (depth === 1) return this.isObject && this.#options.fields.has(String(this.#members[0]));
    if (depth === 2 && this.#isInListed()) return true;
    if (this.#kept === null || depth !== (this.#isInListed() ? 3 : 2)) return false;
    return this.#options.fields.has(String(this.#members[depth - 1]));
  }

  /** Stores or passes on a value that {@link StreamingJson.#isKept}. */
  #keep(value: unknown): void {
    const depth = this.#containers.length;
    if (depth === 1) this.top[String(this.#members[0])] = value;
    else if (depth === 2 && this.#isInListed()) this.#passOn(value);
    else if (this.#kept !== null) this.#kept[String(this.#members[depth - 1])] = value;
  }

  #keptText(from: number, to: number, escaped: boolean): string {
    const text = escaped ? unescaped(this.#body, from, to) : decoder.decode(this.#body.subarray(from, to));
    return text.length > LONGEST_KEPT_TEXT ? text.slice(0, LONGEST_KEPT_TEXT) : text;
  }

  #passOn(element: unknown): void {
    const index = this.elements ?? 0;
    this.elements = index + 1;
    this.#options.onElement(index, element);
  }

  #afterValue(): void {
    const inside = this.#containers.at(-1);
    this.#expect = inside === undefined ? "end" : inside === "{" ? ", or }" : ", or ]";
  }

  /** The path of the value or name being read, as in error details. */
  #path(): string {
    let path = "";
    for (const member of this.#members) {
      if (typeof member === "number") path += `[${member}]`;
      else path += path === "" ? shortened(member) : `.${shortened(member)}`;
    }
    return path;
  }

  #unexpected(): never {
    const from = this.#at;
    const rest = decoder.decode(this.#body.subarray(from, from + RECOGNISED_BYTES));
    return this.#fail(from, unexpectedProblem(rest, from === 0, this.#expect));
  }

  #fail(at: number, problem: string): never {
    throw new JsonSyntaxError(at, problem);
  }
}

const NONE: readonly string[] = [];
const BAD_ESCAPE = "Unknown escape sequence: write a backslash in a string as \\\\";
/** `"`, `\`, `/`, b, f, n, r, t. */
const SHORT_ESCAPES: readonly number[] = [0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74];
function withOddity(oddities: readonly string[], oddity: string): readonly string[] {
  return oddities.includes(oddity) ? oddities : [...oddities, oddity];
}

function controlProblem(byte: number): string {
  if (byte === 0x0a) return "A line break in a string must be written as \\n";
  if (byte === 0x0d) return "A line break in a string must be written as \\r";
  if (byte === 0x09) return "A tab in a string must be written as \\t";
  return `A control character in a string must be written as \\u${byte.toString(16).padStart(4, "0")}`;
}

function shortened(name: string): string {
  const text = name.length > LONGEST_PATH_NAME ? `${name.slice(0, LONGEST_PATH_NAME)}…` : name;
  return text === "" ? '""' : text.toWellFormed();
}

/** Without a prototype, so that a member named `__proto__` is a member. */
function emptyObject(): Record<string, unknown> {
  return Object.create(null);
}
