/** The signing scheme, against vectors that openssl made and over HTTP. */
import { describe, expect, it } from "vitest";
import { fromBase64, fromHex, utf8 } from "../../../src/crypto/encoding.ts";
import {
  importSigningKey,
  parseSignature,
  signedPrefix,
  verifySignature,
} from "../../../src/inbound/signature.ts";
import {
  type Connection,
  createBoundConnection,
  inboundPath,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import { expectNothingStored } from "../../support/intake.ts";
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

function bytesOf(header: string): Uint8Array<ArrayBuffer> {
  const parsed = parseSignature(header);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

describe.each(cases)("the vector “$name”", ({ secret, timestamp, body, hex, bodyOnlyHex }) => {
  const signed = joined(timestamp, body);

  it("verifies, in lower and upper case hex", async () => {
    const key = await importSigningKey(secret);
    for (const text of [hex, hex.toUpperCase()]) {
      expect(await verifySignature([key], bytesOf(text), signed)).toBe(true);
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

  it("verifies if any of several secrets made it, and never without a secret", async () => {
    const keys = await Promise.all(["first", secret, "last"].map(importSigningKey));
    expect(await verifySignature(keys, fromHex(hex), signed)).toBe(true);
    expect(await verifySignature([], fromHex(hex), signed)).toBe(false);
  });
});

const HEX = cases[0]?.hex ?? "";

it.each([
  ["lower case", HEX],
  ["upper case", HEX.toUpperCase()],
  ["the same header twice", `${HEX}, ${HEX}`],
  ["the same header three times, joined without a blank", `${HEX},${HEX},${HEX}`],
  ["the same signature twice, once in upper case", `${HEX}, ${HEX.toUpperCase()}`],
])("a signature in %s is one: %s", (_, header) => {
  expect(bytesOf(header)).toEqual(fromHex(HEX));
});

const BASE64 = "bnA4HEnrpQ6JWYL0aybkkSsILofFUQqPqg4U8DfQ/uo=";

it.each([
  ["the name of an algorithm", `sha256=${HEX}`, "`sha256=`"],
  ["the name of an algorithm, written otherwise", `HMAC-SHA256: ${HEX}`, "`sha256=`"],
  ["what openssl prints before it", `(stdin)= ${HEX}`, "`(stdin)= `"],
  ["what a newer openssl prints before it", `SHA2-256(stdin)= ${HEX}`, "`(stdin)= `"],
  ["what openssl prints for an HMAC", `HMAC-SHA2-256(stdin)= ${HEX}`, "`(stdin)= `"],
  ["a version before it", `v1=${HEX}`, "`v1=`"],
  ["a version of another scheme", `v1,${BASE64}`, "`v1`"],
  ["a list of another scheme", `t=1772323200,v1=${HEX}`, "another scheme"],
  ["the name of a scheme", `Bearer ${HEX}`, "name of a scheme"],
  ["quotes", `"${HEX}"`, "quotes"],
  ["one quote", `${HEX}'`, "quotes"],
  ["0x", `0x${HEX}`, "`0x`"],
  ["an escaped line break at its end", `${HEX}\\n`, "an escape"],
  ["dashes", HEX.replace(/(..)(?=.)/g, "$1-").toUpperCase(), "dashes"],
  ["colons", HEX.replace(/(..)(?=.)/g, "$1:"), "colons"],
  ["a file's name behind it", `${HEX}  -`, "a file name"],
  ["63 digits", HEX.slice(1), "63 hex digits; HMAC-SHA256 has 64"],
  ["65 digits", `${HEX}0`, "65 hex digits"],
  ["a digest of SHA-1", HEX.slice(24), "40 hex digits, the length of SHA-1;"],
  ["a digest of SHA-512", HEX + HEX, "128 hex digits, the length of SHA-512;"],
  ["two signatures", `${HEX}, ${HEX.slice(1)}0`, "sent twice, with different values"],
  ["base64", BASE64, "base64"],
  ["base64 without its end", BASE64.replace("=", ""), "base64"],
  ["base64 for URLs", BASE64.replace("/", "_"), "base64"],
  ["base64 of the digits", btoa(HEX), "base64 of the hex digits"],
  ["nothing that was put in", "undefined", "missing value"],
  ["an object", "[object Promise]", "missing value"],
  ["a placeholder", "{{signature}}", "placeholder"],
  ["a blank inside", `${HEX.slice(0, 32)} ${HEX.slice(32)}`, "spaces"],
  ["words", "not-a-signature", "15 characters that are not all hex digits"],
  ["an essay", "<".repeat(16_000), "16000 characters"],
])("a header with %s is no signature, and the refusal says what it contains", (_, header, words) => {
  const parsed = parseSignature(header);
  expect(parsed).toEqual({ ok: false, error: expect.stringContaining(words) });
  expect(JSON.stringify(parsed)).not.toContain(HEX.slice(0, 8));
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
    { what: "itself behind it", change: (hex: string) => `${hex}, ${hex}`, status: 202 },
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

  it("recognizes the same signature in another letter case as the same request", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    const first = await send(inboundPath(connection), request);
    const headers = new Headers(request.headers);
    headers.set("X-Webhook-Signature", (headers.get("X-Webhook-Signature") ?? "").toUpperCase());
    const again = await send(inboundPath(connection), { ...request, headers });
    expect(again.json).toMatchObject({ file_id: first.json.file_id, duplicate: true });
  });

  it("covers bytes, not text: a body that is not ASCII is verified as transmitted", async () => {
    const connection = await createBoundConnection();
    const body = utf8(report({ note: "Zoë Núñez — 李 😀" }));
    expect((await post(connection, body)).status).toBe(202);
  });

  it("reports how many bytes were received if it does not match", async () => {
    const connection = await createBoundConnection();
    const body = utf8(report({ note: "Zoë" }));
    const answer = await post({ ...connection, secret: "another" }, body);
    expect(answer.json).toMatchObject({
      error: "Invalid webhook signature",
      message: expect.stringContaining(`does not match the ${body.byteLength} bytes received`),
    });
    const malformed = await send_(connection, (hex) => `(stdin)= ${hex}`);
    expect(malformed.json.message).toContain("`(stdin)= `");
  });

  it("accepts the headers of a signed request twice, as a proxy may send them", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection, report(), { headers: { "Idempotency-Key": "one" } });
    const headers = new Headers(request.headers);
    for (const [name, value] of [...headers]) headers.append(name, value);
    const first = await send(inboundPath(connection), { ...request, headers });
    expect(first.status).toBe(202);
    const again = await send(inboundPath(connection), request);
    expect(again.json).toMatchObject({ file_id: first.json.file_id, duplicate: true });
  });

  it("does not accept the signature of one timestamp for another", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    const headers = new Headers(request.headers);
    headers.set("X-Webhook-Timestamp", String(Number(headers.get("X-Webhook-Timestamp")) + 1));
    expect((await send(inboundPath(connection), { ...request, headers })).json.error).toBe(
      "Invalid webhook signature",
    );
  });

  it("does not accept one connection's signature for another's, even of the same owner", async () => {
    const [one, other] = [await createBoundConnection(), await createBoundConnection()];
    const request = await signedRequest(one);
    expect((await send(inboundPath(other), request)).json.error).toBe("Invalid webhook signature");
    expect((await send(inboundPath(one), request)).status).toBe(202);
  });
});
