/** Names as texts, each decoded once: a large report repeats a dozen of them a hundred thousand times. Pure. */

const LONGEST_NAME_BYTES = 32;
/** A power of two. */
const BUCKETS = 512;

interface Entry {
  bytes: Uint8Array;
  text: string;
}

const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

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
