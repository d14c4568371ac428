import { describe, expect, it } from "vitest";
import { type Bytes, fromBase64, toBase64, utf8 } from "../../../src/crypto/encoding.ts";
import {
  createDataKey,
  fingerprint,
  KeyRingError,
  parseKeyRing,
  SEAL_OVERHEAD_BYTES,
  SealBroken,
  seal,
  sealText,
  unseal,
  unsealText,
  unwrapDataKey,
} from "../../../src/crypto/vault.ts";

const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));
const entry = (id: string, raw = random(32)) => `${id}:${toBase64(raw)}`;
const CONTEXT = "payload:connection:aaaa:FILE_1";

async function dataKey() {
  const ring = parseKeyRing(entry("k1"));
  return unwrapDataKey(ring, await createDataKey(ring, "row"), "row");
}

describe("a sealed value", () => {
  it.each([0, 1, 31, 32, 300, 65_536])("of %i bytes opens to what was sealed", async (length) => {
    const key = await dataKey();
    const plain = random(length);
    const sealed = await seal(key, plain, CONTEXT);
    expect(sealed.byteLength).toBe(length + SEAL_OVERHEAD_BYTES);
    expect(await unseal(key, sealed, CONTEXT)).toEqual(plain);
  });

  it("of text opens to the text, in any script", async () => {
    const key = await dataKey();
    for (const text of ["", "whsec_abc", "Jörg \u{1F600} 名\u0000"])
      expect(await unsealText(key, await sealText(key, text, CONTEXT), CONTEXT)).toBe(text);
  });

  it("never looks the same twice", async () => {
    const key = await dataKey();
    const sealed = await Promise.all(Array.from({ length: 50 }, () => sealText(key, "same", CONTEXT)));
    expect(new Set(sealed).size).toBe(50);
  });

  it.each([
    "",
    `${CONTEXT} `,
    CONTEXT.toLowerCase(),
    "payload:connection:aaaa:FILE_2",
    "error:connection:aaaa:FILE_1",
  ])("does not open in the context %j", async (context) => {
    const key = await dataKey();
    const sealed = await seal(key, random(20), CONTEXT);
    await expect(unseal(key, sealed, context)).rejects.toBeInstanceOf(SealBroken);
  });

  it("does not open under another key", async () => {
    const sealed = await seal(await dataKey(), random(20), CONTEXT);
    await expect(unseal(await dataKey(), sealed, CONTEXT)).rejects.toBeInstanceOf(SealBroken);
  });

  it("does not open with any one byte changed, whichever it is", async () => {
    const key = await dataKey();
    const sealed = await seal(key, random(24), CONTEXT);
    for (let i = 0; i < sealed.byteLength; i++) {
      for (const flip of [1, 0x80]) {
        const changed = sealed.slice();
        changed[i] = (changed[i] ?? 0) ^ flip;
        await expect(unseal(key, changed, CONTEXT), `byte ${i}`).rejects.toBeInstanceOf(SealBroken);
      }
    }
  });

  it("does not open when it is cut short or has grown, by any number of bytes", async () => {
    const key = await dataKey();
    const sealed = await seal(key, random(24), CONTEXT);
    for (let length = 0; length < sealed.byteLength; length++)
      await expect(unseal(key, sealed.slice(0, length), CONTEXT)).rejects.toBeInstanceOf(SealBroken);
    const grown = new Uint8Array(sealed.byteLength + 1);
    grown.set(sealed);
    await expect(unseal(key, grown, CONTEXT)).rejects.toBeInstanceOf(SealBroken);
  });

  it.each(["", "AA==", "not base64!", "AQIDBA=="])("is not the text %j", async (text) => {
    await expect(unsealText(await dataKey(), text, CONTEXT)).rejects.toThrow();
  });
});

describe("a wrapped data key", () => {
  const k1 = random(32);
  const k2 = random(32);
  const old = parseKeyRing(entry("k1", k1));

  it("can be unsealed with a ring that has its key at any position", async () => {
    const wrapped = await createDataKey(old, "row");
    const sealed = await seal(await unwrapDataKey(old, wrapped, "row"), utf8("text"), CONTEXT);
    for (const text of [
      `${entry("k2", k2)},${entry("k1", k1)}`,
      ` ${entry("k1", k1)} , ${entry("k2", k2)} `,
      `${entry("k3")},${entry("k2", k2)},${entry("k1", k1)}`,
    ]) {
      const key = await unwrapDataKey(parseKeyRing(text), wrapped, "row");
      expect(await unseal(key, sealed, CONTEXT)).toEqual(utf8("text"));
    }
  });

  it("does not open with a ring that lacks its key, or has another under its name", async () => {
    const wrapped = await createDataKey(old, "row");
    for (const text of [entry("k2", k2), entry("k1", k2)])
      await expect(unwrapDataKey(parseKeyRing(text), wrapped, "row")).rejects.toBeInstanceOf(SealBroken);
  });

  it("is wrapped by the first key of the ring, so that the old one can go in time", async () => {
    const both = parseKeyRing(`${entry("k2", k2)},${entry("k1", k1)}`);
    const wrapped = await createDataKey(both, "row");
    await expect(unwrapDataKey(parseKeyRing(entry("k2", k2)), wrapped, "row")).resolves.toBeDefined();
    await expect(unwrapDataKey(old, wrapped, "row")).rejects.toBeInstanceOf(SealBroken);
  });

  it("does not open for another row", async () => {
    const wrapped = await createDataKey(old, "data-key:connection:a");
    await expect(unwrapDataKey(old, wrapped, "data-key:connection:b")).rejects.toBeInstanceOf(SealBroken);
  });

  it("is another one each time", async () => {
    const [a, b] = await Promise.all(
      [1, 2].map(async () => unwrapDataKey(old, await createDataKey(old, "row"), "row")),
    );
    if (a === undefined || b === undefined) throw new Error("two keys were made");
    await expect(unseal(b, await seal(a, utf8("x"), CONTEXT), CONTEXT)).rejects.toBeInstanceOf(SealBroken);
  });

  it.each(["", "k1", "k1.", "k1.AA==", ".AAAA"])("is not the text %j", async (wrapped) => {
    await expect(unwrapDataKey(old, wrapped, "row")).rejects.toThrow();
  });
});

describe("fingerprints", () => {
  it("are equal for equal bytes, and for nothing else: not for other bytes, not under another key", async () => {
    const [key, other] = await Promise.all([dataKey(), dataKey()]);
    const print = await fingerprint(key, utf8("body"));
    expect(fromBase64(print)).toHaveLength(16);
    expect(await fingerprint(key, utf8("body"))).toEqual(print);
    expect(await fingerprint(key, utf8("Body"))).not.toEqual(print);
    expect(await fingerprint(other, utf8("body"))).not.toEqual(print);
  });
});

describe("VAULT_KEYS", () => {
  const raw = toBase64(random(32));
  const short = toBase64(random(16));

  it.each([
    ["nothing", undefined, "VAULT_KEYS is not set"],
    ["an empty text", "", "VAULT_KEYS is not set"],
    ["a key without an id", raw, "VAULT_KEYS entry 1 is not of the form id:base64"],
    ["id and key the wrong way round", `${raw}:k1`, "VAULT_KEYS entry 1 is not of the form id:base64"],
    [
      "a second entry that is broken",
      `k1:${raw},k2=${raw}`,
      "VAULT_KEYS entry 2 is not of the form id:base64",
    ],
    ["a comma too many", `k1:${raw},`, "VAULT_KEYS entry 2 is not of the form id:base64"],
    ["an id with a dot, which separates it in a wrapped key", `k.1:${raw}`, "VAULT_KEYS entry 1"],
    ["the same id twice", `k1:${raw},k1:${toBase64(random(32))}`, "VAULT_KEYS names the key k1 twice"],
    ["a key that is too short", `k1:${short}`, "VAULT_KEYS key k1 has 16 bytes; it needs 32"],
    ["a key that is no base64", `k1:${raw.slice(0, -3)}`, "VAULT_KEYS key k1"],
    [
      "another alphabet of base64",
      `k1:${"-_".repeat(21)}`,
      "VAULT_KEYS entry 1 is not of the form id:base64",
    ],
  ])("refuses %s, and never repeats key material", (_name, text, message) => {
    let error: unknown = null;
    try {
      parseKeyRing(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(KeyRingError);
    const said = String(error);
    expect(said).toContain(message);
    for (const secret of [raw, short]) {
      for (let i = 0; i + 8 <= secret.length; i += 4) expect(said).not.toContain(secret.slice(i, i + 8));
    }
  });
});
