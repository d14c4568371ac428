/**
 * Reads a JSON document from its bytes without building it. Keeps an outline: the top level's scalars, the fields of a few
 * named objects, and one array's elements, one at a time. It is what says whether a report is JSON, and where it is not;
 * `JSON.parse` is its fast way for small reports that have nothing to tell.
 *
 * The bytes must be UTF-8. What a later reader could take in another way is found on the way: names that stand twice in
 * their object, halves of surrogate pairs, NUL. A name that decides something may not stand twice.
 */
import { type Expected, unexpectedProblem } from "../http/json-scan.ts";
import { NameTable } from "./name-table.ts";

/** What stands for a container that is not kept. */
const OPAQUE_ARRAY: readonly unknown[] = Object.freeze([]);
const OPAQUE_OBJECT: object = Object.freeze({});

export const STANDS_TWICE = "This name stands twice in its object: readers may take either value";
export const LONE_SURROGATE = "Holds half of a surrogate pair, such as the rest of a cut emoji";
export const HOLDS_NUL = "Holds the character NUL (\\u0000)";

export interface OutlineOptions {
  maxDepth: number;
  /** Name of the top-level array whose elements are handed out. */
  listed: string;
  /** Names of the fields kept, at the top, in nested objects and in listed elements. */
  fields: ReadonlySet<string>;
  /** Top-level objects whose scalar fields are kept. */
  nested: readonly string[];
  /** What may not stand twice: `name`, `nested.name`, `listed[].name`. */
  deciding: ReadonlySet<string>;
  /** Called for each element of the listed array; scalars and arrays as themselves (arrays empty). */
  onElement(index: number, element: unknown): void;
  /** Called for what a later reader could take in another way; passed on all the same. */
  onOddity(path: string, oddity: string): void;
}

/** Thrown for a document that is refused; the message repeats no content. */
export class OutlineError extends Error {}

/** Thrown for a document that is not JSON. */
export class JsonSyntaxError extends OutlineError {
  /** The byte at which it stops being JSON. */
  readonly at: number;

  constructor(at: number, problem: string) {
    super(problem);
    this.at = at;
  }
}

type Scalar = string | number | boolean | null;

/** Whether the kept scalar is wanted may depend on its length: nothing that is looked at is longer. */
const LONGEST_KEPT_TEXT = 1_024;
/** Names of one object that are remembered. In a larger one only those that decide are compared. */
const MAX_NAMES_COMPARED = 5_000;
/** Of a name, as much as a path repeats. */
const LONGEST_PATH_NAME = 40;
/** Enough to recognise what stands where it may not. */
const RECOGNISED_BYTES = 40;

const LITERALS: [name: string, value: boolean | null][] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

export class JsonOutline {
  /** The top level: scalars, nested objects' scalars, `[]` for the listed array; containers not kept are empty. */
  readonly top: Record<string, unknown> = emptyObject();
  /** Elements of the listed array; null when the name is absent or no array. */
  elements: number | null = null;
  /** Whether the document is an object. */
  isObject = false;

  readonly #body: Uint8Array;
  readonly #options: OutlineOptions;
  readonly #names = new NameTable();
  readonly #containers: ("{" | "[")[] = [];
  /** Of each container, the name or index of the member being read. */
  readonly #members: (string | number)[] = [];
  /** Of each depth, the names that its present object has had. */
  readonly #seen: Set<string>[] = [];
  #at = 0;
  #expect: Expected = "value";
  /** The comma that was read last, where nothing followed it yet; -1 otherwise. */
  #comma = -1;
  /** The object whose members are being kept: the top level, a nested object, or a listed element. */
  #kept: Record<string, unknown> | null = null;

  /** Throws {@link OutlineError}. */
  constructor(body: Uint8Array, options: OutlineOptions) {
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
          if (this.#expect !== "end") this.#fail(this.#at, "The text ends before the value does");
          return;
        case 0x22:
          this.#string();
          break;
        case 0x7b:
          this.#open("{");
          break;
        case 0x5b:
          this.#open("[");
          break;
        case 0x7d:
          this.#close("}");
          break;
        case 0x5d:
          this.#close("]");
          break;
        case 0x3a:
          if (this.#expect !== ":") this.#unexpected();
          this.#expect = "value";
          this.#at++;
          break;
        case 0x2c:
          this.#takeComma();
          break;
        default:
          this.#numberOrLiteral(byte);
      }
    }
  }

  #takeComma(): void {
    if (this.#expect !== ", or ]" && this.#expect !== ", or }") this.#unexpected();
    const inside = this.#containers.length - 1;
    const member = this.#members[inside];
    if (typeof member === "number") this.#members[inside] = member + 1;
    this.#expect = this.#containers[inside] === "{" ? "name" : "value";
    this.#comma = this.#at++;
  }

  #string(): void {
    const isName = this.#expect === "name" || this.#expect === "name or }";
    if (!isName && this.#expect !== "value" && this.#expect !== "value or ]") this.#unexpected();
    this.#comma = -1;
    const from = this.#at + 1;
    const { to, escaped, oddities } = this.#endOfString(from);
    this.#at = to + 1;
    if (isName) this.#name(from, to, escaped);
    if (oddities.length > 0) for (const oddity of oddities) this.#options.onOddity(this.#path(), oddity);
    if (isName) return;
    if (this.#isKept()) this.#keep(this.#keptText(from, to, escaped));
    this.#afterValue();
  }

  /** Where the string ends that begins at `from`, behind its quote, and what is odd in it. */
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

  #name(from: number, to: number, escaped: boolean): void {
    const name = escaped ? unescaped(this.#body, from, to) : this.#names.textOf(this.#body, from, to);
    const inside = this.#containers.length - 1;
    this.#members[inside] = name;
    this.#expect = ":";
    const seen = this.#seen[inside];
    if (seen === undefined) return;
    if (seen.has(name)) {
      if (this.#options.deciding.has(this.#role(name)))
        throw new OutlineError(
          `\`${this.#role(name)}\` stands twice, so that it is not clear which of them counts. Send it once.`,
        );
      this.#options.onOddity(this.#path(), STANDS_TWICE);
    } else if (seen.size < MAX_NAMES_COMPARED || this.#options.deciding.has(this.#role(name))) seen.add(name);
  }

  /** What a name of the present object is called among those that decide. */
  #role(name: string): string {
    const depth = this.#containers.length;
    const [topName] = this.#members;
    if (depth === 1) return name;
    if (depth === 2 && this.#containers[1] === "{") return `${topName}.${name}`;
    return depth === 3 && this.#isInListed() ? `${topName}[].${name}` : "";
  }

  #numberOrLiteral(first: number): void {
    if (this.#expect !== "value" && this.#expect !== "value or ]") this.#unexpected();
    const from = this.#at;
    const end = first === 0x2d || isDigit(first) ? endOfNumber(this.#body, from) : null;
    if (end !== null && this.#isDelimited(end)) {
      this.#at = end;
      this.#scalar(this.#isKept() ? Number(decoder.decode(this.#body.subarray(from, end))) : null);
      return;
    }
    for (const [name, value] of LITERALS) {
      if (!startsWith(this.#body, from, name) || !this.#isDelimited(from + name.length)) continue;
      this.#at = from + name.length;
      this.#scalar(value);
      return;
    }
    this.#unexpected();
  }

  #isDelimited(at: number): boolean {
    const byte = this.#body[at];
    return byte === undefined || DELIMITERS.includes(byte);
  }

  #scalar(value: Scalar): void {
    this.#comma = -1;
    if (this.#isKept()) this.#keep(value);
    this.#afterValue();
  }

  #open(bracket: "{" | "["): void {
    if (this.#expect !== "value" && this.#expect !== "value or ]") this.#unexpected();
    this.#comma = -1;
    const depth = this.#containers.length;
    const [topName] = this.#members;
    if (depth === this.#options.maxDepth)
      throw new OutlineError(`The body nests deeper than ${this.#options.maxDepth} levels.`);
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

  #close(bracket: "}" | "]"): void {
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
      this.#hand(this.#kept);
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

  /** Whether the value that is being read is kept, or handed out. */
  #isKept(): boolean {
    const depth = this.#containers.length;
    if (depth === 1) return this.isObject && this.#options.fields.has(String(this.#members[0]));
    if (depth === 2 && this.#isInListed()) return true;
    if (this.#kept === null || depth !== (this.#isInListed() ? 3 : 2)) return false;
    return this.#options.fields.has(String(this.#members[depth - 1]));
  }

  /** The value that is being read, which {@link JsonOutline.#isKept}. */
  #keep(value: unknown): void {
    const depth = this.#containers.length;
    if (depth === 1) this.top[String(this.#members[0])] = value;
    else if (depth === 2 && this.#isInListed()) this.#hand(value);
    else if (this.#kept !== null) this.#kept[String(this.#members[depth - 1])] = value;
  }

  #keptText(from: number, to: number, escaped: boolean): string {
    const text = escaped ? unescaped(this.#body, from, to) : decoder.decode(this.#body.subarray(from, to));
    return text.length > LONGEST_KEPT_TEXT ? text.slice(0, LONGEST_KEPT_TEXT) : text;
  }

  #hand(element: unknown): void {
    const index = this.elements ?? 0;
    this.elements = index + 1;
    this.#options.onElement(index, element);
  }

  #afterValue(): void {
    const inside = this.#containers.at(-1);
    this.#expect = inside === undefined ? "end" : inside === "{" ? ", or }" : ", or ]";
  }

  /** Of the value or name that is being read, as error details name it. */
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
const BAD_ESCAPE = "No such escape: write a backslash in a string as \\\\";
/** `"`, `\`, `/`, b, f, n, r, t. */
const SHORT_ESCAPES: readonly number[] = [0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74];
/** What may stand directly behind a number or literal: white space, a comma, a colon, a closing bracket. */
const DELIMITERS: readonly number[] = [0x2c, 0x7d, 0x5d, 0x20, 0x0a, 0x0d, 0x09, 0x3a];

function withOddity(oddities: readonly string[], oddity: string): readonly string[] {
  return oddities.includes(oddity) ? oddities : [...oddities, oddity];
}

/** The code unit that four hex digits name; null where they are none. */
function codeUnit(body: Uint8Array, at: number): number | null {
  let unit = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = body[i] ?? 0;
    const lower = byte | 0x20;
    if (isDigit(byte)) unit = unit * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
    else return null;
  }
  return unit;
}

function isLowSurrogate(body: Uint8Array, at: number): boolean {
  if (body[at] !== 0x5c || body[at + 1] !== 0x75) return false;
  const unit = codeUnit(body, at + 2);
  return unit !== null && unit >= 0xdc00 && unit < 0xe000;
}

function unescaped(body: Uint8Array, from: number, to: number): string {
  return String(JSON.parse(decoder.decode(body.subarray(from - 1, to + 1))));
}

/** The position behind the number that begins at `from`; null where none does. */
function endOfNumber(body: Uint8Array, from: number): number | null {
  let i = body[from] === 0x2d ? from + 1 : from;
  if (body[i] === 0x30) i++;
  else {
    const digits = i;
    while (isDigit(body[i] ?? 0)) i++;
    if (i === digits) return null;
  }
  if (body[i] === 0x2e) {
    const digits = ++i;
    while (isDigit(body[i] ?? 0)) i++;
    if (i === digits) return null;
  }
  if (body[i] === 0x65 || body[i] === 0x45) {
    i++;
    if (body[i] === 0x2b || body[i] === 0x2d) i++;
    const digits = i;
    while (isDigit(body[i] ?? 0)) i++;
    if (i === digits) return null;
  }
  return i;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function startsWith(body: Uint8Array, from: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (body[from + i] !== name.charCodeAt(i)) return false;
  return true;
}

function controlProblem(byte: number): string {
  if (byte === 0x0a) return "A line break in a string has to be written as \\n";
  if (byte === 0x0d) return "A line break in a string has to be written as \\r";
  if (byte === 0x09) return "A tab in a string has to be written as \\t";
  return `A control character in a string has to be written as \\u${byte.toString(16).padStart(4, "0")}`;
}

function shortened(name: string): string {
  const text = name.length > LONGEST_PATH_NAME ? `${name.slice(0, LONGEST_PATH_NAME)}…` : name;
  return text === "" ? '""' : text.toWellFormed();
}

/** Without a prototype, so that a member named `__proto__` is a member. */
function emptyObject(): Record<string, unknown> {
  return Object.create(null);
}
