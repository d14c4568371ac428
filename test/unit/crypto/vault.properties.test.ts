/** Sealed values open with their own key, in their own context, unchanged, and in no other way. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Bytes, fromBase64, toBase64 } from "../../../src/crypto/encoding.ts";
import {
  createDataKey,
  type DataKey,
  fingerprint,
  type KeyRing,
  parseKeyRing,
  SEAL_OVERHEAD_BYTES,
  SealBroken,
  seal,
  unseal,
  unwrapDataKey,
} from "../../../src/crypto/vault.ts";

const RUNS = { numRuns: 150 };

const ringOf = (id: string) => parseKeyRing(`${id}:${toBase64(crypto.getRandomValues(new Uint8Array(32)))}`);
const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength, size: "max" }).map((array) => Uint8Array.from(array) as Bytes);
/** Anything that a context might look like, so that no two of them are ever taken for one. */
const contexts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom("payload:connection:a", "payload:connection:ab", "payload:connection:a\0", ""),
);

let ring: KeyRing;
let key: DataKey;
let otherKey: DataKey;

beforeAll(async () => {
  ring = ringOf("v1");
  key = await unwrapDataKey(ring, await createDataKey(ring, "mine"), "mine");
  otherKey = await unwrapDataKey(ring, await createDataKey(ring, "mine"), "mine");
});

/** `value` with the byte at `position` (any number) changed by `by` (1 to 255). */
function changed(value: Bytes, position: number, by: number): Bytes {
  const copy = value.slice();
  const at = position % copy.byteLength;
  copy[at] = ((copy[at] ?? 0) + by) % 256;
  return copy;
}
const changes = fc.record({ position: fc.nat(), by: fc.integer({ min: 1, max: 255 }) });

describe("a sealed value", () => {
  it("opens to the same bytes with its own key and context", async () => {
    const property = fc.asyncProperty(bytes(5_000), contexts, async (plain, context) => {
      const sealed = await seal(key, plain, context);
      expect(sealed.byteLength).toBe(plain.byteLength + SEAL_OVERHEAD_BYTES);
      expect(await unseal(key, sealed, context)).toEqual(plain);
    });
    await fc.assert(property, RUNS);
  });

  it("never opens with another key", async () => {
    const property = fc.asyncProperty(bytes(500), contexts, async (plain, context) => {
      await expect(unseal(otherKey, await seal(key, plain, context), context)).rejects.toThrow(SealBroken);
    });
    await fc.assert(property, RUNS);
  });

  it("never opens in another context", async () => {
    const property = fc.asyncProperty(bytes(500), contexts, contexts, async (plain, context, other) => {
      fc.pre(new TextEncoder().encode(context).join() !== new TextEncoder().encode(other).join());
      await expect(unseal(key, await seal(key, plain, context), other)).rejects.toThrow(SealBroken);
    });
    await fc.assert(property, RUNS);
  });

  it("never opens with any byte changed", async () => {
    const property = fc.asyncProperty(bytes(200), contexts, changes, async (plain, context, change) => {
      const sealed = changed(await seal(key, plain, context), change.position, change.by);
      await expect(unseal(key, sealed, context)).rejects.toThrow(SealBroken);
    });
    await fc.assert(property, { numRuns: 400 });
  });

  it("never opens shortened at either end, or lengthened", async () => {
    const property = fc.asyncProperty(bytes(200), fc.nat(), bytes(20), async (plain, cut, more) => {
      const sealed = await seal(key, plain, "here");
      const length = cut % sealed.byteLength;
      await expect(unseal(key, sealed.slice(0, length), "here")).rejects.toThrow(SealBroken);
      await expect(unseal(key, sealed.slice(sealed.byteLength - length), "here")).rejects.toThrow(SealBroken);
      fc.pre(more.byteLength > 0);
      const longer = Uint8Array.from([...sealed, ...more]) as Bytes;
      await expect(unseal(key, longer, "here")).rejects.toThrow(SealBroken);
    });
    await fc.assert(property, RUNS);
  });

  it("is nothing that anybody could make up", async () => {
    const property = fc.asyncProperty(bytes(300), async (made) => {
      if (made.byteLength > 0) made[0] = 1;
      await expect(unseal(key, made, "here")).rejects.toThrow(SealBroken);
    });
    await fc.assert(property, RUNS);
  });
});

describe("a wrapped data key", () => {
  const contentOf = (wrapped: string) => fromBase64(wrapped.slice(wrapped.indexOf(".") + 1));

  it("never unwraps for another row, with another ring, or with any byte changed", async () => {
    const property = fc.asyncProperty(contexts, contexts, changes, async (row, otherRow, change) => {
      fc.pre(new TextEncoder().encode(row).join() !== new TextEncoder().encode(otherRow).join());
      const wrapped = await createDataKey(ring, row);
      await expect(unwrapDataKey(ring, wrapped, otherRow)).rejects.toThrow(SealBroken);
      await expect(unwrapDataKey(ringOf("v1"), wrapped, row)).rejects.toThrow(SealBroken);
      await expect(unwrapDataKey(ringOf("v2"), wrapped, row)).rejects.toThrow(SealBroken);
      const broken = `v1.${toBase64(changed(contentOf(wrapped), change.position, change.by))}`;
      await expect(unwrapDataKey(ring, broken, row)).rejects.toThrow(SealBroken);
    });
    await fc.assert(property, RUNS);
  });
});

describe("a fingerprint", () => {
  it("is equal for equal bytes under one key, and for nothing else", async () => {
    const property = fc.asyncProperty(bytes(300), bytes(300), async (one, another) => {
      expect(await fingerprint(key, one.slice())).toBe(await fingerprint(key, one));
      expect(await fingerprint(otherKey, one)).not.toBe(await fingerprint(key, one));
      fc.pre(one.join() !== another.join());
      expect(await fingerprint(key, another)).not.toBe(await fingerprint(key, one));
    });
    await fc.assert(property, RUNS);
  });
});
