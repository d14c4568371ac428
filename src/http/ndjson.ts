/** NDJSON, one JSON value per line, read and written as a stream. https://github.com/ndjson/ndjson-spec */
import { utf8 } from "../crypto/encoding.ts";

export const NDJSON = "application/x-ndjson";

const NEWLINE = 0x0a;

/** `number` counts from 1. */
export type Line = { number: number; bytes: Uint8Array } | { number: number; tooLong: true };

/** A line's bytes are valid until the next line is requested. A line longer than `maxBytes` is skipped. */
export async function* linesOf(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Line, void> {
  let number = 0;
  let rest = new Uint8Array(0);
  let skipping = false;
  const line = (bytes: Uint8Array): Line => {
    const tooLong = skipping || bytes.byteLength > maxBytes;
    skipping = false;
    number++;
    return tooLong ? { number, tooLong } : { number, bytes };
  };
  for await (const chunk of stream) {
    let bytes = joined(rest, chunk);
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE)) {
      yield line(bytes.subarray(0, end));
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.byteLength > maxBytes) skipping = true;
    rest = skipping ? new Uint8Array(0) : bytes;
  }
  if (skipping || rest.byteLength > 0) yield line(rest);
}

/** Requests the next value when the stream has room for it. */
export function ndjsonStream(values: AsyncGenerator<object, void>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await values.next();
      if (done) controller.close();
      else controller.enqueue(utf8(`${JSON.stringify(value)}\n`));
    },
    async cancel() {
      await values.return();
    },
  });
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}
