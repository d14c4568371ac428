import { describe, expect, it } from "vitest";
import { compareSignature } from "../../../src/console/calculator/compare-signature.ts";
import {
  SCHEME_RULES,
  SIGNATURE_SCHEMES,
  type Signable,
  type SignatureScheme,
  signatureBy,
} from "../../../src/console/calculator/signature-schemes.ts";
import { WORKED_EXAMPLE } from "../../../src/console/samples/scheme.ts";
import { toBase64, toHex, utf8 } from "../../../src/crypto/encoding.ts";
import { newWebhookSecret, signDelivery, signersOf } from "../../../src/outbound/signing.ts";

const NOW = 1_774_000_000_000;
const secret = newWebhookSecret();
const BODY = '{"name": "José",\n"n": 1.0}';
const text = (scheme: SignatureScheme) => String(scheme === "inbound" ? NOW : NOW / 1_000);
const values = (scheme: SignatureScheme, body = BODY): Signable => ({
  secret,
  timestamp: text(scheme),
  id: "evt_1",
  body: utf8(body),
});

async function written(scheme: SignatureScheme, signable = values(scheme)): Promise<string> {
  const signature = await signatureBy(scheme, signable);
  return signature === null ? "none" : SCHEME_RULES[scheme].written(signature, signable.timestamp);
}

async function delivered(format: "timestamped" | "sha256", secrets: [string, ...string[]] = [secret]) {
  const signers = await signersOf(secrets);
  const rotating = secrets.length > 1;
  return signDelivery({ id: "evt_1", body: utf8(BODY), signers, rotating, format, now: NOW });
}

describe("the calculator", () => {
  it("computes the worked example", async () => {
    const { body, signature, ...given } = WORKED_EXAMPLE;
    expect(await written("inbound", { ...given, id: "", body: utf8(body) })).toBe(signature);
  });

  it("signs each scheme as deliveries are signed", async () => {
    const headers = await delivered("timestamped");
    expect(await written("inbound")).toBe(headers["X-Webhook-Signature"]);
    expect(await written("timestamped")).toBe(headers["Audit1-Signature"]);
    expect(await written("standard")).toBe(headers["webhook-signature"]);
    expect(await written("body_only")).toBe((await delivered("sha256"))["Audit1-Signature"]);
  });

  it.each(["", "whsec_", "whsec_examp", "whsec_Ä"])(
    "makes no key of Standard Webhooks of %j",
    async (wrong) => {
      expect(await signatureBy("standard", { ...values("standard"), secret: wrong })).toBeNull();
    },
  );

  it.each(SIGNATURE_SCHEMES)(
    "finds that a right signature of %s matches, with and without its header's name",
    async (scheme) => {
      const value = await written(scheme);
      for (const pasted of [value, ` ${SCHEME_RULES[scheme].header.toLowerCase()}: ${value}\n`])
        expect(await compareSignature(scheme, values(scheme), pasted)).toEqual(["match"]);
    },
  );

  it("accepts the signature of either secret during a rotation", async () => {
    const headers = await delivered("timestamped", [newWebhookSecret(), secret]);
    expect(await compareSignature("timestamped", values("timestamped"), headers["Audit1-Signature"])).toEqual(
      ["match"],
    );
    expect(await compareSignature("standard", values("standard"), headers["webhook-signature"])).toEqual([
      "match",
    ]);
  });
});

describe("a signature of a report", () => {
  const hexOf = async (signable: Partial<Signable>, scheme: SignatureScheme = "inbound") =>
    toHex((await signatureBy(scheme, { ...values("inbound"), ...signable })) ?? new Uint8Array());

  it.each<[string, () => Promise<string>]>([
    ["body_without_timestamp", () => hexOf({}, "body_only")],
    ["timestamp_in_seconds", () => hexOf({ timestamp: String(NOW / 1_000) })],
    ["newline_after_body", () => hexOf({ body: utf8(`${BODY}\n`) })],
    ["newline_after_secret", () => hexOf({ secret: `${secret}\n` })],
    ["crlf", () => hexOf({ body: utf8(BODY.replace("\n", "\r\n")) })],
    ["json_printed_anew", () => hexOf({ body: utf8('{"name":"José","n":1}') })],
    ["prefixed", async () => `sha256=${await hexOf({})}`],
    ["base64", async () => toBase64((await signatureBy("inbound", values("inbound"))) ?? new Uint8Array())],
    ["dashed", async () => (await hexOf({})).replace(/..(?=.)/g, "$&-")],
    ["secret_without_prefix", () => hexOf({ secret: secret.slice("whsec_".length) })],
    ["of_standard", async () => (await delivered("timestamped"))["webhook-signature"].replace("v1,", "")],
    ["unknown", () => hexOf({ secret: newWebhookSecret() })],
    ["no_signature", async () => "not a signature"],
  ])("that does not match is explained: %s", async (finding, wrong) => {
    const signable =
      finding === "of_standard"
        ? { ...values("inbound"), timestamp: String(NOW / 1_000) }
        : values("inbound");
    expect(await compareSignature("inbound", signable, await wrong())).toEqual([finding]);
  });

  it("names all slips that a signature needs", async () => {
    const signature = await signatureBy("body_only", values("inbound"));
    const found = await compareSignature(
      "inbound",
      values("inbound"),
      toBase64(signature ?? new Uint8Array()),
    );
    expect(found).toEqual(["body_without_timestamp", "base64"]);
  });

  it("is not examined with a body that is too large", async () => {
    const large = values("inbound", `"${"x".repeat(65_536)}"`);
    expect(await compareSignature("inbound", large, "0".repeat(64))).toEqual(["too_large"]);
  });
});

describe("a signature of a delivery", () => {
  it.each<[SignatureScheme, string, () => Promise<string>]>([
    ["timestamped", "of_body_only", () => written("body_only")],
    ["timestamped", "newline_after_body", () => written("timestamped", values("timestamped", `${BODY}\n`))],
    ["body_only", "of_timestamped", () => written("timestamped")],
    ["body_only", "crlf", () => written("body_only", values("body_only", BODY.replace("\n", "\r\n")))],
    ["body_only", "unknown", async () => "0".repeat(64)],
    ["standard", "of_timestamped", () => written("timestamped")],
    ["standard", "json_printed_anew", () => written("standard", values("standard", '{"name":"José","n":1}'))],
    ["standard", "no_signature", async () => "v1,"],
  ])("%s that does not match is explained: %s", async (scheme, finding, wrong) => {
    expect(await compareSignature(scheme, values(scheme), await wrong())).toEqual([finding]);
  });

  it("by Standard Webhooks is explained if the secret was not decoded", async () => {
    const key = await crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
    ]);
    const signed = utf8(`evt_1.${NOW / 1_000}.${BODY}`);
    const signature = toBase64(new Uint8Array(await crypto.subtle.sign("HMAC", key, signed)));
    expect(await compareSignature("standard", values("standard"), `v1,${signature}`)).toEqual([
      "secret_not_decoded",
    ]);
  });
});
