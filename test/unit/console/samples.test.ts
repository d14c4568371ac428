import { describe, expect, it } from "vitest";
import { exampleReport } from "../../../src/console/samples/example-report.ts";
import { SAMPLE_LANGUAGES, SAMPLES } from "../../../src/console/samples/samples.ts";
import { WORKED_EXAMPLE } from "../../../src/console/samples/scheme.ts";
import { sign } from "../../support/gateway.ts";

const EMPLOYER = { id: "EMP_1", fein: "123456789" };
const NOW = Date.parse("2026-03-20T12:00:00Z");
const values = {
  url: "https://webhooks.audit1.com/api/v1/webhook/inbound/0123456789abcdef01234567",
  body: exampleReport(EMPLOYER, NOW),
};

/** How each language joins the timestamp, a dot and the body, and makes hex digits of the HMAC. */
const SIGNS: Record<(typeof SAMPLE_LANGUAGES)[number], string[]> = {
  curl: [`printf '%s.%s' "$TIMESTAMP" "$BODY"`, "openssl dgst -sha256 -hmac", "date +%s)000"],
  node: [`\${timestamp}.\${body}`, 'createHmac("sha256", secret)', 'digest("hex")', "Date.now()"],
  python: ['timestamp.encode() + b"." + body', "hashlib.sha256).hexdigest()", "// 1_000_000"],
  go: ['timestamp + "." + body', "hmac.New(sha256.New", "hex.EncodeToString", "UnixMilli()"],
  java: ['timestamp + "." + BODY', '"HmacSHA256"', "HexFormat.of()", "currentTimeMillis()"],
  php: ["$timestamp . '.' . $body", "hash_hmac('sha256'", "microtime(true) * 1000"],
  ruby: ["timestamp + '.' + body", "OpenSSL::HMAC.hexdigest('SHA256'", ":millisecond"],
};

describe.each(SAMPLE_LANGUAGES)("the sample for %s", (language) => {
  const text = SAMPLES[language].text(values);

  it("signs as the contract says", () => {
    for (const piece of SIGNS[language]) expect(text).toContain(piece);
  });

  it("sends the report as JSON to the connection's address, with both headers", () => {
    expect(text).toContain(values.url);
    expect(text).toContain(values.body);
    expect(text).toContain("X-Webhook-Timestamp");
    expect(text).toContain("X-Webhook-Signature");
    expect(text).toMatch(/Content-Type['"]?(?:: | => |, |: ")?['"]?application\/json/);
  });

  it("reads the secret from its environment", () => {
    expect(text).toContain("AUDIT1_SECRET");
    expect(text).not.toContain("whsec_");
  });

  it("is run under the name that it is saved as", () => {
    expect(SAMPLES[language].run).toContain(SAMPLES[language].file);
  });
});

describe("the example report", () => {
  it.each([
    { employer: EMPLOYER, names: { employer_fein: "12-3456789" } },
    { employer: { id: "EMP_1", fein: null }, names: { employer_id: "EMP_1" } },
    { employer: null, names: { employer_fein: "12-3456789" } },
  ])("names the employer $employer", ({ employer, names }) => {
    expect(JSON.parse(exampleReport(employer, NOW))).toMatchObject(names);
  });

  it.each([
    { at: "2026-03-20T12:00:00Z", start_date: "2026-03-01", end_date: "2026-03-15" },
    { at: "2026-03-15T23:59:59Z", start_date: "2026-02-16", end_date: "2026-02-28" },
    { at: "2026-01-01T00:00:00Z", start_date: "2025-12-16", end_date: "2025-12-31" },
    { at: "2028-03-10T00:00:00Z", start_date: "2028-02-16", end_date: "2028-02-29" },
  ])("is for the half month that had ended at $at", ({ at, ...period }) => {
    expect(JSON.parse(exampleReport(EMPLOYER, Date.parse(at))).pay_period).toEqual(period);
  });

  it("fits between the quotes of every language", () => {
    expect(values.body).toMatch(/^[\n -~]*$/);
    expect(values.body).not.toMatch(/['`\\$]|"""/);
  });
});

it("the worked example is signed by the scheme", async () => {
  const { secret, timestamp, body, signature } = WORKED_EXAMPLE;
  expect(signature).toBe(await sign(secret, timestamp, body));
});
