/** Tokens of JSON, read from its UTF-8 bytes. Pure. */

export const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** What may follow a number or literal directly: white space, a comma, a colon, a closing bracket. */
const DELIMITERS: readonly number[] = [0x2c, 0x7d, 0x5d, 0x20, 0x0a, 0x0d, 0x09, 0x3a];

/** Whether a number or literal may end before `at`. */
export function isDelimited(body: Uint8Array, at: number): boolean {
  const byte = body[at];
  return byte === undefined || DELIMITERS.includes(byte);
}

/** The position after the number that begins at `from`; null if none does. */
export function endOfNumber(body: Uint8Array, from: number): number | null {
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

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function startsWith(body: Uint8Array, from: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (body[from + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** The UTF-16 unit that four hex digits name; null if they are not hex digits. */
export function codeUnit(body: Uint8Array, at: number): number | null {
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

export function isLowSurrogate(body: Uint8Array, at: number): boolean {
  if (body[at] !== 0x5c || body[at + 1] !== 0x75) return false;
  const unit = codeUnit(body, at + 2);
  return unit !== null && unit >= 0xdc00 && unit < 0xe000;
}

/** The text of a string with escapes, between the quotes at `from - 1` and `to`. */
export function unescaped(body: Uint8Array, from: number, to: number): string {
  return String(JSON.parse(decoder.decode(body.subarray(from - 1, to + 1))));
}

const LONGEST_NAME_BYTES = 32;
/** A power of two. */
const BUCKETS = 512;

interface Entry {
  bytes: Uint8Array;
  text: string;
}

/** Names as texts. Each is decoded once: a large report repeats a dozen names a hundred thousand times. */
export class NameTable {
  readonly #entries: (Entry | undefined)[] = new Array(BUCKETS);

  /** The text of a piece of UTF-8. */
  textOf(body: Uint8Array, from: number, to: number): string {
    const length = to - from;
    if (length > LONGEST_NAME_BYTES) return decoder.decode(body.subarray(from, to));
    let hash = length;
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + (body[i] ?? 0)) | 0;
    const bucket = (hash ^ (hash >>> 9)) & (BUCKETS - 1);
    const entry = this.#entries[bucket];
    if (entry !== undefined && equals(entry.bytes, body, from, length)) return entry.text;
    const bytes = body.slice(from, to);
    const text = decoder.decode(bytes);
    this.#entries[bucket] = { bytes, text };
    return text;
  }
}

function equals(bytes: Uint8Array, body: Uint8Array, from: number, length: number): boolean {
  if (bytes.byteLength !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[i] !== body[from + i]) return false;
  return true;
}
