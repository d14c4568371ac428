/** A signature fits one connection, one secret, one timestamp and one body, to the byte. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Bytes } from "../../../src/crypto/encoding.ts";
import { readSettings } from "../../../src/env.ts";
import { BodyBudget } from "../../../src/http/body-budget.ts";
import { AbuseLimiter } from "../../../src/inbound/abuse-limiter.ts";
import { readConnectionSender } from "../../../src/inbound/connection-sender.ts";
import { SenderCache } from "../../../src/inbound/sender-cache.ts";
import {
  importSigningKey,
  parseSignature,
  signedPrefix,
  verifySignature,
} from "../../../src/inbound/signature.ts";
import { receiveSigned } from "../../../src/inbound/signed-intake.ts";
import { checkTimestamp } from "../../../src/inbound/timestamp-window.ts";
import {
  BASE,
  bindings,
  type Connection,
  createBoundConnection,
  inboundPath,
  report,
  sign,
} from "../../support/gateway.ts";
import { expectNothingStored } from "../../support/intake.ts";

const bodies = fc
  .uint8Array({ maxLength: 3_000, size: "max" })
  .map((array) => Uint8Array.from(array) as Bytes);
const secrets = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 60 });
const timestamps = fc.integer({ min: 100_000_000_000, max: 9_999_999_999_999 }).map(String);

async function verifies(secret: string, signature: string, timestamp: string, body: Bytes) {
  const parsed = parseSignature(signature);
  const prefix = signedPrefix(timestamp);
  const signed = new Uint8Array(prefix.byteLength + body.byteLength);
  signed.set(prefix);
  signed.set(body, prefix.byteLength);
  if (!parsed.ok) return false;
  return verifySignature([await importSigningKey(secret)], parsed.value, signed);
}

/** `bytes` with one bit turned, one byte more, or one byte less. */
const oneChange = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom("bit", "insert", "delete"),
  bit: fc.nat(7),
});
type Change = { at: number; kind: string; bit: number };

function changed(bytes: Bytes, { at, kind, bit }: Change): Bytes {
  const values = [...bytes];
  const position = at % (values.length + 1);
  if (kind === "insert" || position >= values.length) values.splice(position, 0, 1 << bit);
  else if (kind === "delete") values.splice(position, 1);
  else values[position] = (values[position] ?? 0) ^ (1 << bit);
  return Uint8Array.from(values) as Bytes;
}

describe("a signature", () => {
  it("verifies in either case of its digits", async () => {
    const property = fc.asyncProperty(secrets, timestamps, bodies, async (secret, timestamp, body) => {
      const signature = await sign(secret, timestamp, body);
      expect(await verifies(secret, signature, timestamp, body)).toBe(true);
      expect(await verifies(secret, signature.toUpperCase(), timestamp, body)).toBe(true);
    });
    await fc.assert(property, { numRuns: 150 });
  });

  it("never verifies another body, timestamp or secret, or with any digit changed", async () => {
    const property = fc.asyncProperty(
      fc.record({ secret: secrets, timestamp: timestamps, body: bodies, change: oneChange }),
      fc.record({
        secret: secrets,
        timestamp: timestamps,
        digit: fc.nat(63),
        by: fc.integer({ min: 1, max: 15 }),
      }),
      async ({ secret, timestamp, body, change }, other) => {
        const signature = await sign(secret, timestamp, body);
        expect(await verifies(secret, signature, timestamp, changed(body, change))).toBe(false);
        if (other.timestamp !== timestamp)
          expect(await verifies(secret, signature, other.timestamp, body)).toBe(false);
        if (other.secret !== secret)
          expect(await verifies(other.secret, signature, timestamp, body)).toBe(false);
        const digit = (Number.parseInt(signature[other.digit] ?? "", 16) + other.by) % 16;
        const forged =
          signature.slice(0, other.digit) + digit.toString(16) + signature.slice(other.digit + 1);
        expect(await verifies(secret, forged, timestamp, body)).toBe(false);
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  it("never verifies when bytes move across the dot between timestamp and body", async () => {
    const property = fc.asyncProperty(
      secrets,
      timestamps,
      fc.integer({ min: 1, max: 5 }),
      async (secret, timestamp, moved) => {
        const body = new TextEncoder().encode(`${timestamp.slice(-moved)}{}`) as Bytes;
        const signature = await sign(secret, timestamp, new TextEncoder().encode("{}"));
        expect(await verifies(secret, signature, timestamp.slice(0, -moved), body)).toBe(false);
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  it("is read from 64 hex digits and from nothing else", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 80 }),
      fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEFg \n-"), minLength: 60, maxLength: 68 }),
    );
    fc.assert(fc.property(texts, (text) => parseSignature(text).ok === /^[0-9a-fA-F]{64}$/.test(text)));
  });
});

describe("a timestamp", () => {
  it("is accepted when it is an integer within five minutes of the clock, and never otherwise", () => {
    const now = Date.parse("2026-03-16T10:00:00.000Z");
    const near = fc.integer({ min: -400_000, max: 400_000 });
    fc.assert(
      fc.property(near, (ms) => {
        const taken = checkTimestamp(String(now + ms), now).ok;
        expect(taken).toBe(Math.abs(ms) <= 300_000);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(near, fc.constantFrom(".0", "e0", " ", "n", "_", "\n", "\u0660", "-"), (ms, more) => {
        for (const text of [
          `${now + ms}${more}`,
          `${more}${now + ms}`,
          `+${now + ms}`,
          `0x${(now + ms).toString(16)}`,
        ])
          expect(checkTimestamp(text, now).ok).toBe(false);
      }),
    );
  });
});

describe("the signed intake", () => {
  let connection: Connection;
  let other: Connection;

  beforeAll(async () => {
    connection = await createBoundConnection();
    other = await createBoundConnection();
  });

  /** With a cache of its own each time, so that no earlier refusal has an effect. */
  async function knock(at: Connection, timestamp: string, signature: string, body: Bytes) {
    const headers = { "X-Webhook-Signature": signature, "X-Webhook-Timestamp": timestamp };
    const request = new Request(BASE + inboundPath(at), { method: "POST", headers, body });
    return receiveSigned(at.id, request, "req_1", new SenderCache(readConnectionSender), {
      env: bindings,
      settings: readSettings(bindings),
      budget: new BodyBudget(),
      account: new AbuseLimiter().account("192.0.2.1", at.id),
      waitUntil: () => undefined,
    });
  }

  it("refuses one change of the body, the timestamp, the secret or the connection, and stores nothing", async () => {
    const parts = fc.constantFrom("body", "timestamp", "secret", "connection", "signature");
    const property = fc.asyncProperty(
      parts,
      oneChange,
      fc.integer({ min: 1, max: 200_000 }),
      async (part, change, ms) => {
        const body = new TextEncoder().encode(report()) as Bytes;
        const timestamp = String(Date.now());
        const signature = await sign(
          part === "secret" ? `${connection.secret}x` : connection.secret,
          timestamp,
          body,
        );
        const received = await knock(
          part === "connection" ? other : connection,
          part === "timestamp" ? String(Number(timestamp) - ms) : timestamp,
          part === "signature" ? signature.slice(0, -1) : signature,
          part === "body" ? changed(body, change) : body,
        );
        expect(received).toMatchObject({
          outcome: { ok: false, error: { kind: "invalid_signature" } },
          rate: null,
        });
      },
    );
    await fc.assert(property, { numRuns: 80 });
    await expectNothingStored(connection);
    await expectNothingStored(other);
  });
});
