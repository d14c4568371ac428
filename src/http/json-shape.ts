/** How large a JSON document would become, told without building it. Pure. */

/**
 * How many values a document has, and how deep they nest, from the brackets and commas outside its strings: at least as
 * many as it has, if it is valid JSON, and no matter if it is not.
 */
export function shapeOf(body: Uint8Array): { values: number; depth: number } {
  let values = 1;
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < body.byteLength; i++) {
    const byte = body[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x2c) values++;
    else if (byte === 0x7b || byte === 0x5b) {
      values++;
      if (++depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return { values, depth: deepest };
}
