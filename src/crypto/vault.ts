/**
 * Envelope encryption: every connection, API key and owner has a random data key, stored wrapped by a key of the key ring.
 *
 * Sealed value: `0x01 | nonce (12) | AES-256-GCM ciphertext and tag`. Wrapped data key: `{ring key id}.{base64 of a
 * sealed value}`. The context string (contexts.ts) says what is sealed and where it belongs. It is the additional data, so a sealed
 * value that was copied to another place cannot be unsealed there. Nonces are random; one data key may seal 2^32 values, which is
 * nine years of the largest plan at its limit.
 *
 * Errors: {@link KeyRingError} for an unusable ring, {@link SealBroken} for a value that cannot be unsealed, {@link RingKeyMissing}
 * if the ring lacks the key for it.
 */
import { type Bytes, concat, fromBase64, toBase64, utf8 } from "./encoding.ts";

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** How many bytes longer than the plain value a sealed value is. */
export const SEAL_OVERHEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

/** WebCrypto's `CryptoKey`, named so that it compiles with Node's declarations too. */
export type PlatformKey = Awaited<ReturnType<typeof crypto.subtle.deriveKey>>;

export class KeyRingError extends Error {}
export class SealBroken extends Error {}
/** The ring lacks the key that wrapped a data key. Values sealed with it can be unsealed again once the ring has that key. */
export class RingKeyMissing extends SealBroken {
  readonly ringKey: string;

  constructor(ringKey: string) {
    super(`no key ${ringKey} in the ring`);
    this.ringKey = ringKey;
  }
}

/** Unwraps with any of its keys, wraps with the first. */
export interface KeyRing {
  first: string;
  keys: ReadonlyMap<string, Promise<PlatformKey>>;
}

/** Seals and unseals values, and fingerprints bytes so that equal ones are recognized without being stored. */
export interface DataKey {
  aead: PlatformKey;
  mac: PlatformKey;
}

/** Parses `VAULT_KEYS`: `id:base64 of 32 bytes`, separated by commas. Error messages never contain key material. */
export function parseKeyRing(text: string | undefined): KeyRing {
  if (!text)
    throw new KeyRingError("VAULT_KEYS is not set: it holds the keys that seal payloads and secrets");
  const keys = new Map<string, Promise<PlatformKey>>();
  for (const [position, entry] of text.split(",").entries()) {
    const [, id, encoded] = /^\s*([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]+=*)\s*$/.exec(entry) ?? [];
    if (id === undefined || encoded === undefined) {
      throw new KeyRingError(`VAULT_KEYS entry ${position + 1} is not of the form id:base64`);
    }
    if (keys.has(id)) throw new KeyRingError(`VAULT_KEYS names the key ${id} twice`);
    keys.set(id, importRingKey(id, encoded));
  }
  const [first] = keys.keys();
  if (first === undefined) throw new KeyRingError("VAULT_KEYS holds no key");
  return { first, keys };
}

function importRingKey(id: string, encoded: string): Promise<PlatformKey> {
  let raw: Bytes;
  try {
    raw = fromBase64(encoded);
  } catch {
    throw new KeyRingError(`VAULT_KEYS key ${id} is not base64`);
  }
  if (raw.byteLength !== KEY_BYTES) {
    throw new KeyRingError(`VAULT_KEYS key ${id} has ${raw.byteLength} bytes; it needs ${KEY_BYTES}`);
  }
  return crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** A new random data key, wrapped. `context` identifies the row that will hold it. */
export async function createDataKey(ring: KeyRing, context: string): Promise<string> {
  return wrap(ring, crypto.getRandomValues(new Uint8Array(KEY_BYTES)), context);
}

/** Throws {@link RingKeyMissing} if the ring lacks the key, and {@link SealBroken} if the value was wrapped for another context. */
export async function unwrapDataKey(ring: KeyRing, wrapped: string, context: string): Promise<DataKey> {
  return importDataKey(await unwrapRaw(ring, wrapped, context));
}

/** The same data key, wrapped by the ring's first key. Throws as {@link unwrapDataKey} does. */
export async function rewrapDataKey(ring: KeyRing, wrapped: string, context: string): Promise<string> {
  return wrap(ring, await unwrapRaw(ring, wrapped, context), context);
}

/** Whether the ring's first key wraps it, so that it needs no other key of the ring. */
export function isWrappedByFirst(ring: KeyRing, wrapped: string): boolean {
  return wrapped.startsWith(`${ring.first}.`);
}

async function wrap(ring: KeyRing, raw: Bytes, context: string): Promise<string> {
  const key = await ring.keys.get(ring.first);
  if (key === undefined) throw new KeyRingError(`the ring lost its key ${ring.first}`);
  return `${ring.first}.${toBase64(await sealWith(key, raw, context))}`;
}

async function unwrapRaw(ring: KeyRing, wrapped: string, context: string): Promise<Bytes> {
  const dot = wrapped.indexOf(".");
  const ringKey = wrapped.slice(0, dot);
  const key = await ring.keys.get(ringKey);
  if (key === undefined) throw new RingKeyMissing(ringKey);
  return unsealWith(key, decoded(wrapped.slice(dot + 1), context), context);
}

async function importDataKey(raw: Bytes): Promise<DataKey> {
  const master = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveKey"]);
  const from = (info: string) => ({
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(0),
    info: utf8(info),
  });
  const [aead, mac] = await Promise.all([
    crypto.subtle.deriveKey(from("audit1 seal"), master, { name: "AES-GCM", length: 256 }, false, [
      "encrypt",
      "decrypt",
    ]),
    crypto.subtle.deriveKey(
      from("audit1 fingerprint"),
      master,
      { name: "HMAC", hash: "SHA-256", length: 256 },
      false,
      ["sign"],
    ),
  ]);
  return { aead, mac };
}

export function seal(key: DataKey, plain: Bytes, context: string): Promise<Bytes> {
  return sealWith(key.aead, plain, context);
}

/** Like {@link seal}, for large values: returns the sealed value in parts, which saves a copy to join them. */
export function sealInParts(key: DataKey, plain: Bytes, context: string): Promise<Bytes[]> {
  return partsSealedWith(key.aead, plain, context);
}

/** Throws {@link SealBroken} for a wrong key, a wrong context or a changed byte. */
export function unseal(key: DataKey, sealed: Bytes, context: string): Promise<Bytes> {
  return unsealWith(key.aead, sealed, context);
}

export async function sealText(key: DataKey, plain: string, context: string): Promise<string> {
  return toBase64(await seal(key, utf8(plain), context));
}

export async function unsealText(key: DataKey, sealed: string, context: string): Promise<string> {
  return new TextDecoder().decode(await unseal(key, decoded(sealed, context), context));
}

/** The first 16 bytes of HMAC-SHA256 with the data key, in base64: equal for equal bytes, useless without the key. */
export async function fingerprint(key: DataKey, bytes: Bytes): Promise<string> {
  return toBase64(new Uint8Array(await crypto.subtle.sign("HMAC", key.mac, bytes), 0, 16));
}

function decoded(text: string, context: string): Bytes {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw new SealBroken(`not base64: ${context}`, { cause });
  }
}

async function sealWith(key: PlatformKey, plain: Bytes, context: string): Promise<Bytes> {
  return concat(await partsSealedWith(key, plain, context));
}

async function partsSealedWith(key: PlatformKey, plain: Bytes, context: string): Promise<[Bytes, Bytes]> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const additionalData = utf8(context);
  const encrypted = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData }, key, plain);
  return [Uint8Array.of(FORMAT, ...nonce), new Uint8Array(encrypted)];
}

async function unsealWith(key: PlatformKey, sealed: Bytes, context: string): Promise<Bytes> {
  if (sealed.byteLength < SEAL_OVERHEAD_BYTES || sealed[0] !== FORMAT)
    throw new SealBroken(`not a sealed value: ${context}`);
  const iv = sealed.subarray(1, 1 + NONCE_BYTES);
  const additionalData = utf8(context);
  try {
    return new Uint8Array(
      await crypto.subtle.decrypt(
        { name: "AES-GCM", iv, additionalData },
        key,
        sealed.subarray(1 + NONCE_BYTES),
      ),
    );
  } catch (cause) {
    throw new SealBroken(`cannot be unsealed: ${context}`, { cause });
  }
}
