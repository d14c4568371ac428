/** Measures a JSON document without building it. Pure. */

export interface JsonShape {
  values: number;
  depth: number;
  /** The members of all its objects, including those that a parser drops for a later one of the same name. */
  members: number;
  /** Whether a string contains an escaped NUL or surrogate. */
  hasOddEscape: boolean;
}

/**
 * Counts values, members and levels by the punctuation outside strings. For valid JSON the number of values is an upper
 * bound; for invalid JSON the result has no meaning.
 */
export function shapeOf(body: Uint8Array): JsonShape {
  let values = 1;
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let inString = false;
  let hasOddEscape = false;
  for (let i = 0; i < body.byteLength; i++) {
    const byte = body[i];
    if (inString) {
      if (byte === 0x22) inString = false;
      else if (byte === 0x5c && body[++i] === 0x75) hasOddEscape ||= isOddUnit(body, i + 1);
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x2c) values++;
    else if (byte === 0x3a) members++;
    else if (byte === 0x7b || byte === 0x5b) {
      values++;
      if (++depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return { values, depth: deepest, members, hasOddEscape };
}

/** Whether four hex digits may be those of NUL or of a surrogate. */
function isOddUnit(body: Uint8Array, at: number): boolean {
  const [a = 0, b = 0, c = 0, d = 0] = [body[at], body[at + 1], body[at + 2], body[at + 3]];
  if (a === 0x30) return b === 0x30 && c === 0x30 && d === 0x30;
  return (a | 0x20) === 0x64 && b > 0x37;
}
