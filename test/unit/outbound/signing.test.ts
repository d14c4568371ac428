import { describe, expect, it } from "vitest";
import { type Bytes, fromBase64, toBase64, toHex, utf8 } from "../../../src/crypto/encoding.ts";
import { newWebhookSecret, signDelivery, signersOf } from "../../../src/outbound/signing.ts";
import vectors from "../../vectors/signatures.json";

const NOW = 1_772_323_200_987;
const BODY = utf8('{"id":"evt_1","data":"Zoë"}');

async function hmac(key: Bytes, prefix: string): Promise<Uint8Array> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  const signed = new Blob([utf8(prefix), BODY]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, await signed.arrayBuffer()));
}

async function hex(secret: string, prefix: string): Promise<string> {
  return toHex(await hmac(utf8(secret), prefix));
}

async function standard(secret: string, prefix: string): Promise<string> {
  return `v1,${toBase64(await hmac(fromBase64(secret.slice("whsec_".length)), prefix))}`;
}

/** For each of the secrets, separated. */
async function each(secrets: string[], separator: string, one: (secret: string) => Promise<string>) {
  return (await Promise.all(secrets.map(one))).join(separator);
}

describe("a webhook's secret", () => {
  it("is whsec_ and 32 characters of base64, and never the same", () => {
    const secrets = Array.from({ length: 200 }, newWebhookSecret);
    for (const secret of secrets) expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{32}$/);
    expect(new Set(secrets).size).toBe(secrets.length);
  });
});

describe("a delivery's signatures", () => {
  it.each(vectors.cases.filter(({ secret }) => secret.startsWith("whsec_")))(
    "agree with the shared vector: $name",
    async ({ secret, timestamp, body_base64, ...expected }) => {
      const body = fromBase64(body_base64);
      const now = Number(timestamp);
      const signed = await signDelivery({
        id: "evt_1",
        body,
        signers: await signersOf([secret]),
        rotating: false,
        format: "sha256",
        now,
      });
      expect(signed["X-Webhook-Timestamp"]).toBe(timestamp);
      expect(signed["X-Webhook-Signature"]).toBe(expected.timestamped_hex);
      expect(signed["Audit1-Signature"]).toBe(`sha256=${expected.body_only_hex}`);
    },
  );

  it("are in every documented scheme at once", async () => {
    const secret = newWebhookSecret();
    expect(
      await signDelivery({
        id: "evt_1",
        body: BODY,
        signers: await signersOf([secret]),
        rotating: false,
        format: "timestamped",
        now: NOW,
      }),
    ).toEqual({
      "X-Webhook-Signature": await hex(secret, "1772323200987."),
      "X-Webhook-Timestamp": "1772323200987",
      "Audit1-Signature": `t=1772323200,v1=${await hex(secret, "1772323200.")}`,
      "webhook-id": "evt_1",
      "webhook-timestamp": "1772323200",
      "webhook-signature": await standard(secret, "evt_1.1772323200."),
    });
  });

  it("are of every secret in force, the leading one first, the newest as the next", async () => {
    const [a, b, c] = [newWebhookSecret(), newWebhookSecret(), newWebhookSecret()];
    const signed = await signDelivery({
      id: "evt_1",
      body: BODY,
      signers: await signersOf([a, b, c]),
      rotating: true,
      format: "timestamped",
      now: NOW,
    });
    expect(signed).toMatchObject({
      "X-Webhook-Signature": await hex(a, "1772323200987."),
      "X-Webhook-Signature-Next": await hex(c, "1772323200987."),
      "Audit1-Signature": `t=1772323200,${await each([a, b, c], ",", async (secret) => `v1=${await hex(secret, "1772323200.")}`)}`,
      "webhook-signature": await each([a, b, c], " ", (secret) => standard(secret, "evt_1.1772323200.")),
    });
  });

  it("do not mention a next secret once the new one leads, although the old one still signs", async () => {
    const [a, b] = [newWebhookSecret(), newWebhookSecret()];
    const secrets: [string, string] = [b, a];
    const signed = await signDelivery({
      id: "evt_1",
      body: BODY,
      signers: await signersOf(secrets),
      rotating: false,
      format: "timestamped",
      now: NOW,
    });
    expect(signed["X-Webhook-Signature"]).toBe(await hex(b, "1772323200987."));
    expect(signed).not.toHaveProperty("X-Webhook-Signature-Next");
    expect(signed["webhook-signature"].split(" ")).toHaveLength(2);
  });

  it("of the body alone are the leading secret's", async () => {
    const [a, b] = [newWebhookSecret(), newWebhookSecret()];
    const signed = await signDelivery({
      id: "evt_1",
      body: BODY,
      signers: await signersOf([a, b]),
      rotating: true,
      format: "sha256",
      now: NOW,
    });
    expect(signed["Audit1-Signature"]).toBe(`sha256=${await hex(a, "")}`);
    expect(signed["X-Webhook-Signature-Next"]).toBe(await hex(b, "1772323200987."));
  });

  it.each(["", "secret", "whsec_", "whsec_short", `whsec_${"!".repeat(32)}`, `WHSEC_${"A".repeat(32)}`])(
    "are never made with what is no secret of ours: %j",
    async (secret) => {
      await expect(signersOf([secret])).rejects.toThrow("not of the form");
    },
  );
});
