/** Whatever a report says: each way in which JSON.stringify prints it leads to every other. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { utf8 } from "../../../../src/crypto/encoding.ts";
import { reprinted } from "../../../../src/inbound/diagnosis/reprinted-json.ts";

const INDENTS = [0, 2, 4];

it("from any print to any other", () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 5 }),
      fc.constantFrom(...INDENTS),
      fc.constantFrom(...INDENTS),
      (value, from, to) => {
        const sent = JSON.stringify(value, null, from);
        const signed = JSON.stringify(value, null, to);
        if (sent === signed) return;
        expect([...reprinted(utf8(sent))]).toContain(signed);
      },
    ),
  );
});

it("from any bytes to none, or to prints of a bounded length", () => {
  const pieces = ["[", "]", "{", "}", ",", ":", '"', "\\", "1e20", "é", " ", '"a"'].map(utf8);
  const bytes = fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.uint8Array({ maxLength: 3 })), { maxLength: 200 })
    .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
  fc.assert(
    fc.property(bytes, (body) => {
      for (const print of reprinted(body)) expect(print.length).toBeLessThan(128 * 1024);
    }),
  );
});
