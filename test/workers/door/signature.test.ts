/** The signing scheme, against vectors that openssl made and over HTTP. */
import { describe, expect, it } from "vitest";
import { fromBase64, fromHex, utf8 } from "../../../src/crypto/encoding.ts";
import {
  importSigningKey,
  parseSignature,
  signedPrefix,
  verifySignature,
} from "../../../src/inbound/signature.ts";
import { expectNothingStored } from "../../support/door.ts";
import {
  type Connection,
  createBoundConnection,
  inboundPath,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import vectors from "../../vectors/signatures.json";

const cases = vectors.cases.map(
  ({ name, secret, timestamp, body_base64, timestamped_hex, body_only_hex }) => ({
    name,
    secret,
    timestamp,
    hex: timestamped_hex,
    bodyOnlyHex: body_only_hex,
    body: fromBase64(body_base64),
  }),
);

function joined(timestamp: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const prefix = signedPrefix(timestamp);
  const signed = new Uint8Array(prefix.byteLength + body.byteLength);
  signed.set(prefix);
  signed.set(body, prefix.byteLength);
  return signed;
}

describe.each(cases)("the vector “$name”", ({ secret, timestamp, body, hex, bodyOnlyHex }) => {
  const signed = joined(timestamp, body);

  it("verifies, in lower and upper case hex", async () => {
    const key = await importSigningKey(secret);
    for (const text of [hex, hex.toUpperCase()]) {
      const signature = parseSignature(text);
      expect(signature && (await verifySignature([key], signature, signed))).toBe(true);
    }
  });

  it("does not verify with any one bit of the signed bytes changed", async () => {
    const key = await importSigningKey(secret);
    for (let i = 0; i < signed.byteLength; i++) {
      const changed = signed.slice();
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      expect(await verifySignature([key], fromHex(hex), changed)).toBe(false);
    }
  });

  it("does not verify with any byte of the signature changed, one missing, or one too many", async () => {
    const key = await importSigningKey(secret);
    const signature = fromHex(hex);
    for (let i = 0; i < signature.byteLength; i++) {
      const changed = signature.slice();
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(await verifySignature([key], changed, signed)).toBe(false);
    }
    expect(await verifySignature([key], signature.slice(1), signed)).toBe(false);
    expect(await verifySignature([key], new Uint8Array(33), signed)).toBe(false);
  });

  it("does not verify under another secret or with the timestamp left out of the signature", async () => {
    const signature = fromHex(hex);
    expect(await verifySignature([await importSigningKey(`${secret} `)], signature, signed)).toBe(false);
    const key = await importSigningKey(secret);
    expect(await verifySignature([key], fromHex(bodyOnlyHex), signed)).toBe(false);
  });

  it("verifies when any of several secrets made it, and not when there is none", async () => {
    const keys = await Promise.all(["first", secret, "last"].map(importSigningKey));
    expect(await verifySignature(keys, fromHex(hex), signed)).toBe(true);
    expect(await verifySignature([], fromHex(hex), signed)).toBe(false);
  });
});

const HEX = cases[0]?.hex ?? "";

it.each([
  ["lower case", HEX, true],
  ["upper case", HEX.toUpperCase(), true],
  ["the prefix of another scheme", `sha256=${HEX}`, false],
  ["a version before it", `v1=${HEX}`, false],
  ["63 digits", HEX.slice(1), false],
  ["65 digits", `${HEX}0`, false],
  ["two signatures", `${HEX},${HEX}`, false],
  ["base64", "bnA4HEnrpQ6JWYL0aybkkSsILofFUQqPqg4U8DfQ/uo=", false],
  ["a line break at its end", `${HEX}\n`, false],
  ["a blank before it", ` ${HEX}`, false],
  ["nothing", "", false],
])("a signature in %s is one: %s → %s", (_, text, is) => {
  expect(parseSignature(text) !== null).toBe(is);
});

it("signs the timestamp as it was written, a dot, and the body's bytes", () => {
  expect(signedPrefix("0001772323200000")).toEqual(utf8("0001772323200000."));
});

describe("over HTTP", () => {
  const send_ = async (connection: Connection, change: (signature: string) => string) => {
    const request = await signedRequest(connection);
    const headers = new Headers(request.headers);
    headers.set("X-Webhook-Signature", change(headers.get("X-Webhook-Signature") ?? ""));
    return send(inboundPath(connection), { ...request, headers });
  };

  it.each([
    { what: "upper case", change: (hex: string) => hex.toUpperCase(), status: 202 },
    {
      what: "mixed case",
      change: (hex: string) => hex.replace(/[a-f]/, (c) => c.toUpperCase()),
      status: 202,
    },
    { what: "a prefix", change: (hex: string) => `sha256=${hex}`, status: 401 },
    {
      what: "a digit changed",
      change: (hex: string) => (hex[0] === "0" ? "1" : "0") + hex.slice(1),
      status: 401,
    },
    { what: "a digit missing", change: (hex: string) => hex.slice(1), status: 401 },
  ])("a signature with $what is answered $status", async ({ change, status }) => {
    const connection = await createBoundConnection();
    expect((await send_(connection, change)).status).toBe(status);
    if (status === 401) await expectNothingStored(connection);
  });

  it("takes the same signature in another letter case for the same request", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    const first = await send(inboundPath(connection), request);
    const headers = new Headers(request.headers);
    headers.set("X-Webhook-Signature", (headers.get("X-Webhook-Signature") ?? "").toUpperCase());
    const again = await send(inboundPath(connection), { ...request, headers });
    expect(again.json).toMatchObject({ file_id: first.json.file_id, duplicate: true });
  });

  it("covers bytes, not text: a body that is not ASCII is verified as it travelled", async () => {
    const connection = await createBoundConnection();
    const body = utf8(report({ note: "Zoë Núñez — 李 😀" }));
    expect((await post(connection, body)).status).toBe(202);
  });

  it("does not take the signature of one timestamp for another", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    const headers = new Headers(request.headers);
    headers.set("X-Webhook-Timestamp", String(Number(headers.get("X-Webhook-Timestamp")) + 1));
    expect((await send(inboundPath(connection), { ...request, headers })).json.error).toBe(
      "Invalid webhook signature",
    );
  });

  it("does not take one connection's signature for another's, even of the same owner", async () => {
    const [one, other] = [await createBoundConnection(), await createBoundConnection()];
    const request = await signedRequest(one);
    expect((await send(inboundPath(other), request)).json.error).toBe("Invalid webhook signature");
    expect((await send(inboundPath(one), request)).status).toBe(202);
  });
});
