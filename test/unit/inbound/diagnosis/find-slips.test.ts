/** Every usual slip of a signature is found, alone and with others, and nothing is found where nothing fits. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Bytes, fromBase64, fromHex, toBase64, toHex, utf8 } from "../../../../src/crypto/encoding.ts";
import { findSlips } from "../../../../src/inbound/diagnosis/find-slips.ts";
import type { KnownSecrets } from "../../../../src/inbound/diagnosis/guesses.ts";

const SECRET = "whsec_3u1JX0Zq8yBv5cR7nT2mK9pL4wE6sA0dF1gH8jQzXcV";
const REST = SECRET.slice("whsec_".length);
const TIMESTAMP = "1772323200987";
const SECRETS: KnownSecrets = { active: [SECRET], ended: ["whsec_ended"], others: ["whsec_b", "whsec_c"] };

const REPORT = { policy_number: "WC1", employees: [{ name: "José", wages: 5000.5 }], empty: {}, none: [] };
const COMPACT = JSON.stringify(REPORT);
const PRETTY = JSON.stringify(REPORT, null, 2);

async function hmac(key: string | Bytes, text: string | Bytes): Promise<Bytes> {
  const raw = typeof key === "string" ? utf8(key) : key;
  const imported = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const bytes = typeof text === "string" ? utf8(text) : text;
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, bytes));
}

interface Slip {
  what: string;
  /** What was sent; COMPACT unless given. */
  sent?: string;
  /** What was signed, from what was sent. */
  signed?: (sent: string) => string;
  key?: string | Bytes;
  /** How the signature was written; in hex unless given. */
  written?: (signature: Bytes) => string;
  diagnosis: string[];
}

const stamped = (text: string) => `${TIMESTAMP}.${text}`;
const dashed = (bytes: Bytes) => (toHex(bytes).toUpperCase().match(/../g) ?? []).join("-");
const urlSafe = (bytes: Bytes) => toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace("=", "");

async function diagnose(
  { sent = COMPACT, signed = stamped, key = SECRET, written = toHex }: Omit<Slip, "diagnosis" | "what">,
  secrets = SECRETS,
) {
  const signature = written(await hmac(key, signed(sent)));
  return findSlips({ signature, timestamp: TIMESTAMP, body: utf8(sent) }, secrets);
}

const SLIPS: Slip[] = [
  { what: "the body alone is signed", signed: (sent) => sent, diagnosis: ["body_without_timestamp"] },
  { what: "seconds are signed", signed: (sent) => `1772323200.${sent}`, diagnosis: ["timestamp_in_seconds"] },
  {
    what: "rounded seconds are signed",
    signed: (sent) => `1772323201.${sent}`,
    diagnosis: ["timestamp_in_seconds"],
  },
  {
    what: "a newline is signed that is not sent",
    signed: (sent) => stamped(`${sent}\n`),
    diagnosis: ["newline_after_body"],
  },
  {
    what: "a newline of Windows is signed that is not sent",
    signed: (sent) => stamped(`${sent}\r\n`),
    diagnosis: ["newline_after_body"],
  },
  {
    what: "a newline is sent that is not signed",
    sent: `${COMPACT}\n`,
    signed: (sent) => stamped(sent.trimEnd()),
    diagnosis: ["newline_after_body"],
  },
  {
    what: "a newline of Windows is sent that is not signed",
    sent: `${COMPACT}\r\n`,
    signed: (sent) => stamped(sent.trimEnd()),
    diagnosis: ["newline_after_body"],
  },
  {
    what: "newlines are sent that are not signed",
    sent: `${COMPACT}\n\n`,
    signed: (sent) => stamped(sent.trimEnd()),
    diagnosis: ["newline_after_body"],
  },
  { what: "the secret is read with its newline", key: `${SECRET}\n`, diagnosis: ["newline_after_secret"] },
  {
    what: "the secret is read with a newline of Windows",
    key: `${SECRET}\r\n`,
    diagnosis: ["newline_after_secret"],
  },
  {
    what: "CR LF is signed, LF sent",
    sent: PRETTY,
    signed: (sent) => stamped(sent.replaceAll("\n", "\r\n")),
    diagnosis: ["crlf"],
  },
  {
    what: "LF is signed, CR LF sent",
    sent: PRETTY.replaceAll("\n", "\r\n"),
    signed: (sent) => stamped(sent.replaceAll("\r", "")),
    diagnosis: ["crlf"],
  },
  {
    what: "a compact print is signed, an indented one sent",
    sent: PRETTY,
    signed: () => stamped(COMPACT),
    diagnosis: ["json_printed_anew"],
  },
  {
    what: "an indented print is signed, a compact one sent",
    signed: () => stamped(PRETTY),
    diagnosis: ["json_printed_anew"],
  },
  {
    what: "a print of four columns is signed",
    signed: () => stamped(JSON.stringify(REPORT, null, 4)),
    diagnosis: ["json_printed_anew"],
  },
  {
    what: "Python's print is signed",
    signed: () =>
      stamped(
        '{"policy_number": "WC1", "employees": [{"name": "Jos\\u00e9", "wages": 5000.5}], "empty": {}, "none": []}',
      ),
    diagnosis: ["json_printed_anew"],
  },
  {
    what: "escapes are signed, accents sent",
    signed: (sent) => stamped(sent.replace("é", "\\u00e9")),
    diagnosis: ["json_printed_anew"],
  },
  {
    what: "accents are signed, escapes sent",
    sent: COMPACT.replace("é", "\\u00e9"),
    signed: () => stamped(COMPACT),
    diagnosis: ["json_printed_anew"],
  },
  {
    what: "the name of an algorithm is before it",
    written: (bytes) => `sha256=${toHex(bytes)}`,
    diagnosis: ["prefixed"],
  },
  {
    what: "the label of openssl is before it",
    written: (bytes) => `SHA2-256(stdin)= ${toHex(bytes)}`,
    diagnosis: ["prefixed"],
  },
  {
    what: "the name of a scheme is before it",
    written: (bytes) => `HMAC ${toHex(bytes)}`,
    diagnosis: ["prefixed"],
  },
  {
    what: "another scheme's fields are before it",
    written: (bytes) => `t=1772323200,v1=${toHex(bytes)}`,
    diagnosis: ["prefixed"],
  },
  {
    what: "the name of a file is after it",
    written: (bytes) => `${toHex(bytes)} *stdin`,
    diagnosis: ["prefixed"],
  },
  { what: "it is in quotes", written: (bytes) => `"${toHex(bytes)}"`, diagnosis: ["prefixed"] },
  { what: "it is base64", written: toBase64, diagnosis: ["base64"] },
  { what: "it is base64url", written: urlSafe, diagnosis: ["base64"] },
  { what: "it is base64 of the digits", written: (bytes) => btoa(toHex(bytes)), diagnosis: ["base64"] },
  { what: "it is in upper case with dashes", written: dashed, diagnosis: ["dashed"] },
  { what: "it is made with an ended secret", key: "whsec_ended", diagnosis: ["ended_secret"] },
  { what: "the secret is used without its prefix", key: REST, diagnosis: ["secret_without_prefix"] },
  {
    what: "the secret is decoded after its prefix",
    key: fromBase64(`${REST}=`),
    diagnosis: ["secret_decoded"],
  },
  {
    what: "the secret is decoded as a whole, as Node does it",
    key: fromBase64(SECRET.replace("_", "/").slice(0, -1)),
    diagnosis: ["secret_decoded"],
  },
  {
    what: "the secret is decoded as a whole, as Python does it",
    key: fromBase64(SECRET.replace("_", "")),
    diagnosis: ["secret_decoded"],
  },
  { what: "it is made with another connection's secret", key: "whsec_c", diagnosis: ["other_connection"] },
];

it.each(SLIPS)("when $what: $diagnosis", async ({ diagnosis, ...slip }) => {
  expect(await diagnose(slip)).toEqual(diagnosis);
});

const TOGETHER: Slip[] = [
  {
    what: "the body alone, in base64",
    signed: (sent) => sent,
    written: toBase64,
    diagnosis: ["body_without_timestamp", "base64"],
  },
  {
    what: "GitHub's scheme",
    signed: (sent) => sent,
    written: (bytes) => `sha256=${toHex(bytes)}`,
    diagnosis: ["body_without_timestamp", "prefixed"],
  },
  {
    what: "base64 after the name of an algorithm",
    written: (bytes) => `sha256=${toBase64(bytes)}`,
    diagnosis: ["prefixed", "base64"],
  },
  {
    what: "Standard Webhooks' form",
    signed: (sent) => `1772323200.${sent}`,
    key: fromBase64(`${REST}=`),
    written: (bytes) => `v1,${toBase64(bytes)}`,
    diagnosis: ["timestamp_in_seconds", "prefixed", "base64", "secret_decoded"],
  },
  {
    what: "echo for the body and for the secret",
    signed: (sent) => stamped(`${sent}\n`),
    key: `${SECRET}\n`,
    diagnosis: ["newline_after_body", "newline_after_secret"],
  },
  {
    what: "an ended secret, and the body alone",
    signed: (sent) => sent,
    key: "whsec_ended",
    diagnosis: ["body_without_timestamp", "ended_secret"],
  },
  {
    what: "another connection's secret, and the body alone",
    signed: (sent) => sent,
    key: "whsec_b",
    diagnosis: ["body_without_timestamp", "other_connection"],
  },
  {
    what: "jq's print",
    signed: () => stamped(`${PRETTY}\n`),
    diagnosis: ["newline_after_body", "json_printed_anew"],
  },
  {
    what: "the body printed anew, alone, in .NET's form",
    sent: PRETTY,
    signed: () => COMPACT,
    written: dashed,
    diagnosis: ["body_without_timestamp", "json_printed_anew", "dashed"],
  },
];

it.each(TOGETHER)("together: $what: $diagnosis", async ({ diagnosis, ...slip }) => {
  expect(await diagnose(slip)).toEqual(diagnosis);
});

describe("nothing fits", () => {
  it.each([
    ["a signature with a strange secret", { key: "whsec_strange" }],
    ["a signature of another body", { signed: () => stamped("{}") }],
    [
      "the name of an algorithm before a signature with a strange secret",
      { key: "whsec_strange", written: (bytes: Bytes) => `sha256=${toHex(bytes)}` },
    ],
    ["base64 of a signature with a strange secret", { key: "whsec_strange", written: toBase64 }],
    ["dashes in a signature with a strange secret", { key: "whsec_strange", written: dashed }],
    ["half a signature", { written: (bytes: Bytes) => toHex(bytes).slice(32) }],
    ["a word", { written: () => "undefined" }],
    ["a long header", { written: (bytes: Bytes) => `sha256=${" ".repeat(300)}${toHex(bytes)}` }],
    ["an empty secret", { key: fromHex("00") }],
  ])("%s", async (_, slip) => {
    expect(await diagnose(slip)).toEqual(["unknown"]);
  });

  it("without any secret", async () => {
    expect(await diagnose({ key: "whsec_b" }, { active: [], ended: [], others: [] })).toEqual(["unknown"]);
  });
});

it("a signature that is right is no slip: the secret was added meanwhile", async () => {
  expect(await diagnose({})).toEqual(["unknown"]);
});

it("of two explanations, the smaller counts", async () => {
  const sent = `${COMPACT}\n`;
  expect(await diagnose({ sent, signed: () => stamped(COMPACT) })).toEqual(["newline_after_body"]);
});

it("every active secret counts, and every other connection", async () => {
  const active = Array.from({ length: 10 }, (_, i) => `whsec_${i}`);
  const others = Array.from({ length: 20 }, (_, i) => `whsec_o${i}`);
  const secrets = { active, ended: ["whsec_e1", "whsec_e2", "whsec_e3"], others };
  for (const key of active)
    expect(await diagnose({ key, signed: (sent) => sent }, secrets)).toEqual(["body_without_timestamp"]);
  for (const key of others) expect(await diagnose({ key }, secrets)).toEqual(["other_connection"]);
  expect(await diagnose({ key: "whsec_e3" }, secrets)).toEqual(["ended_secret"]);
});

describe("the work is bounded", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const many: KnownSecrets = {
    active: Array.from({ length: 10 }, (_, i) => `${SECRET}${i}`),
    ended: ["whsec_e1", "whsec_e2", "whsec_e3"],
    others: Array.from({ length: 20 }, (_, i) => `whsec_o${i}`),
  };

  async function workOf(body: string, secrets = many) {
    let hmacs = 0;
    let bytes = 0;
    const verify = crypto.subtle.verify.bind(crypto.subtle);
    vi.spyOn(crypto.subtle, "verify").mockImplementation((algorithm, key, signature, data) => {
      hmacs++;
      bytes += data.byteLength;
      return verify(algorithm, key, signature, data);
    });
    const signature = toHex(await hmac("whsec_strange", body));
    const slips = await findSlips({ signature, timestamp: TIMESTAMP, body: utf8(body) }, secrets);
    return { hmacs, bytes, slips };
  }

  const LIMIT = 64 * 1024;
  const bytesOf = (text: string) => utf8(text).byteLength;
  const fill = (unit: string, open = "", close = "") =>
    open + unit.repeat(Math.floor((LIMIT - bytesOf(open + close)) / bytesOf(unit))) + close;
  it.each([
    ["a small report", COMPACT],
    ["a large report", fill('{"name":"José","wages":5000.00},', '{"employees":[', "{}]}")],
    ["open brackets", fill("[")],
    ["nested brackets", `${"[".repeat(LIMIT / 2)}${"]".repeat(LIMIT / 2)}`],
    [
      "nested brackets as deep as a report may be, full of numbers",
      fill("0,", "[".repeat(64), `0${"]".repeat(64)}`),
    ],
    ["few values, nested deep", fill('"aaaaaaaaa",', "[".repeat(64), `0${"]".repeat(64)}`)],
    ["objects without members", fill("{},", "[", "{}]")],
    ["numbers that grow", fill("1e20,", "[", "0]")],
    ["strings that grow", `["${"é'".repeat(21_000)}"]`],
    ["newlines", fill("\n")],
    ["newlines of Windows", fill("\r\n")],
    ["one string without an end", `"${"\\".repeat(LIMIT - 1)}`],
    ["nothing", ""],
  ])("over %s", async (_, body) => {
    expect(utf8(body).byteLength).toBeLessThanOrEqual(LIMIT);
    const { hmacs, bytes, slips } = await workOf(body);
    expect(slips).toEqual(["unknown"]);
    expect(hmacs).toBeLessThanOrEqual(160);
    expect(hmacs).toBeGreaterThan(30);
    expect(bytes).toBeLessThanOrEqual(8 * 1024 ** 2);
  });

  it("a larger body is not examined at all", async () => {
    expect(await workOf(" ".repeat(LIMIT + 1))).toEqual({ hmacs: 0, bytes: 0, slips: [] });
  });

  it("every single slip is tried over the largest report, whatever the number of secrets", async () => {
    const report = fill('{"name":"José","wages":5000.00},', '{"employees":[', "{}]}");
    const key = many.others.at(-1) ?? "";
    const signature = toHex(await hmac(key, stamped(report)));
    const request = { signature, timestamp: TIMESTAMP, body: utf8(report) };
    expect(await findSlips(request, many)).toEqual(["other_connection"]);
  });
});
