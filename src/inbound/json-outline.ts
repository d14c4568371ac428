/**
 * Checks a large JSON document without building it, and keeps only an outline: the top level's scalars, the fields of
 * a few named objects, and one array's elements, one at a time. Tokens come from a streaming tokenizer; this is the
 * grammar and the outline. For documents that `JSON.parse` would blow up to many times their size.
 */
import { Tokenizer, TokenType } from "@streamparser/json";

/** What stands for a container that is not kept. */
const OPAQUE_ARRAY: readonly unknown[] = Object.freeze([]);
const OPAQUE_OBJECT: object = Object.freeze({});

export interface OutlineOptions {
  maxDepth: number;
  /** Name of the top-level array whose elements are handed out. */
  listed: string;
  /** Names of the fields kept, at the top, in nested objects and in listed elements. */
  fields: ReadonlySet<string>;
  /** Top-level objects whose scalar fields are kept. */
  nested: readonly string[];
  /** Called for each element of the listed array; scalars and arrays as themselves (arrays empty). */
  onElement(index: number, element: unknown): void;
  /** Called when the listed name comes again: the last one counts, as for `JSON.parse`. */
  onRestart(): void;
}

/** Thrown for a document that is not JSON or nests too deeply; the message names no content. */
export class OutlineError extends Error {}

type Expect = "value" | "value or ]" | "key" | "key or }" | ":" | ", or ]" | ", or }" | "end";
type Scalar = string | number | boolean | null;

/** Whether the kept scalar is wanted may depend on its length: nothing that is looked at is longer. */
const LONGEST_KEPT_TEXT = 1_024;

export class JsonOutline {
  /** The top level: scalars, nested objects' scalars, `[]` for the listed array; containers not kept are empty. */
  readonly top: Record<string, unknown> = emptyObject();
  /** Elements of the listed array; null when the name is absent or no array. */
  elements: number | null = null;

  /** Whether the document is an object. */
  isObject = false;

  readonly #options: OutlineOptions;
  readonly #tokenizer = new Tokenizer({ stringBufferSize: 16_384, numberBufferSize: 64 });
  readonly #containers: ("{" | "[")[] = [];
  #expect: Expect = "value";
  /** The key of the member being read at depth one and at depth two (or three, inside a listed element). */
  #topKey = "";
  #innerKey = "";
  /** The object whose members are being kept: the top level, a nested object, or a listed element. */
  #kept: Record<string, unknown> | null = null;

  constructor(options: OutlineOptions) {
    this.#options = options;
    this.#tokenizer.onToken = (token) => this.#take(token.token, token.value as Scalar);
    this.#tokenizer.onError = (error) => {
      throw error instanceof OutlineError ? error : new OutlineError("The body is not valid JSON.");
    };
  }

  /** Throws {@link OutlineError}. */
  write(chunk: Uint8Array): void {
    this.#tokenizer.write(chunk);
  }

  /** Throws {@link OutlineError} when the document is not complete. */
  end(): void {
    this.#tokenizer.end();
    if (this.#expect !== "end") throw new OutlineError("The body is not valid JSON: it ends too early.");
  }

  #take(token: TokenType, value: Scalar): void {
    switch (token) {
      case TokenType.LEFT_BRACE:
        return this.#open("{");
      case TokenType.LEFT_BRACKET:
        return this.#open("[");
      case TokenType.RIGHT_BRACE:
        if (this.#expect !== "key or }" && this.#expect !== ", or }") this.#refuse();
        return this.#close();
      case TokenType.RIGHT_BRACKET:
        if (this.#expect !== "value or ]" && this.#expect !== ", or ]") this.#refuse();
        return this.#close();
      case TokenType.COLON:
        if (this.#expect !== ":") this.#refuse();
        this.#expect = "value";
        return;
      case TokenType.COMMA:
        if (this.#expect === ", or }") this.#expect = "key";
        else if (this.#expect === ", or ]") this.#expect = "value";
        else this.#refuse();
        return;
      case TokenType.STRING:
        if (this.#expect === "key" || this.#expect === "key or }") return this.#key(String(value));
        return this.#scalar(value);
      default:
        return this.#scalar(value);
    }
  }

  #key(name: string): void {
    if (this.#containers.length === 1) this.#topKey = name;
    else this.#innerKey = name;
    this.#expect = ":";
  }

  #scalar(value: Scalar): void {
    if (this.#expect !== "value" && this.#expect !== "value or ]") this.#refuse();
    this.#keep(
      typeof value === "string" && value.length > LONGEST_KEPT_TEXT
        ? value.slice(0, LONGEST_KEPT_TEXT)
        : value,
    );
    this.#afterValue();
  }

  #open(bracket: "{" | "["): void {
    if (this.#expect !== "value" && this.#expect !== "value or ]") this.#refuse();
    const depth = this.#containers.length;
    if (depth === this.#options.maxDepth)
      throw new OutlineError(`The body nests deeper than ${this.#options.maxDepth} levels.`);
    if (depth === 1 && this.#topKey === this.#options.listed && bracket === "[") {
      if (this.elements !== null) this.#options.onRestart();
      this.elements = 0;
      this.top[this.#topKey] = OPAQUE_ARRAY;
    } else if (depth === 1 && bracket === "{" && this.#options.nested.includes(this.#topKey)) {
      this.#kept = emptyObject();
      this.top[this.#topKey] = this.#kept;
    } else if (this.#inListed() && depth === 2 && bracket === "{") {
      this.#kept = emptyObject();
    } else {
      this.#keep(bracket === "[" ? OPAQUE_ARRAY : OPAQUE_OBJECT);
    }
    if (depth === 0) this.isObject = bracket === "{";
    this.#containers.push(bracket);
    this.#expect = bracket === "{" ? "key or }" : "value or ]";
  }

  #close(): void {
    this.#containers.pop();
    const depth = this.#containers.length;
    if (depth === 2 && this.#inListed() && this.#kept !== null) {
      this.#hand(this.#kept);
      this.#kept = null;
    } else if (depth === 1) {
      this.#kept = null;
    }
    this.#afterValue();
  }

  #inListed(): boolean {
    return (
      this.#topKey === this.#options.listed && this.#containers[1] === "[" && this.#containers[0] === "{"
    );
  }

  #keep(value: unknown): void {
    const depth = this.#containers.length;
    if (depth === 1 && this.#containers[0] === "{") {
      if (this.#topKey === this.#options.listed && this.elements !== null) {
        this.#options.onRestart();
        this.elements = null;
      }
      if (this.#options.fields.has(this.#topKey)) this.top[this.#topKey] = value;
    } else if (depth === 2 && this.#inListed()) {
      this.#hand(value);
    } else if (this.#kept !== null && depth === (this.#inListed() ? 3 : 2)) {
      if (this.#options.fields.has(this.#innerKey)) this.#kept[this.#innerKey] = value;
    }
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

  #refuse(): never {
    throw new OutlineError("The body is not valid JSON.");
  }
}

/** Without a prototype, so that a member named `__proto__` is a member. */
function emptyObject(): Record<string, unknown> {
  return Object.create(null);
}
