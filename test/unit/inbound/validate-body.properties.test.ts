/**
 * Bodies of every shape: parsing at once and streaming agree, unknown fields change nothing, and nothing throws.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EMPLOYEE_CHANGES } from "../../../src/developer/employee-changes.ts";
import { validateStrictly } from "../../../src/developer/validate-strictly.ts";
import { describeFailure } from "../../../src/http/failure.ts";
import { MAX_FINDINGS, scanJson } from "../../../src/http/json-scan.ts";
import { DECIDING, KNOWN_FIELDS, STRICT_PAYROLL } from "../../../src/inbound/payroll-rules.ts";
import { namedEmployer } from "../../../src/inbound/resolve-employer.ts";
import { HOLDS_NUL, LONE_SURROGATE, STANDS_TWICE } from "../../../src/inbound/streaming-json.ts";
import { PARSE_UP_TO_BYTES, validateBody } from "../../../src/inbound/validate-body.ts";
import { bodyText, brokenBody, jsonValue, quoted, scalar, unknownName } from "../../support/json-texts.ts";

const encoder = new TextEncoder();
const PADDING = new Uint8Array(PARSE_UP_TO_BYTES).fill(0x20);

/** The result of a validation, without the places, which differ between the two ways. */
function verdictOf(body: Uint8Array) {
  const validated = validateBody(body);
  if (!validated.ok) return validated.error.kind;
  const { employees: count, employerFein, employerId, warnings } = validated.value;
  return { count, named: namedEmployer(employerFein, employerId), warnings: Object.entries(warnings) };
}

/** Unknown fields may be odd themselves. */
function withoutOddities(verdict: ReturnType<typeof verdictOf>) {
  if (typeof verdict === "string") return verdict;
  const odd = [STANDS_TWICE, LONE_SURROGATE, HOLDS_NUL];
  return { ...verdict, warnings: verdict.warnings.filter(([, warning]) => !odd.includes(warning)) };
}

/** The same document, long enough to be streamed. */
function streamedVerdictOf(body: Uint8Array) {
  return verdictOf(padded(body));
}

function padded(body: Uint8Array): Uint8Array {
  const long = new Uint8Array(PADDING.byteLength + body.byteLength);
  long.set(PADDING);
  long.set(body, PADDING.byteLength);
  return long;
}

// More than a thousand bodies of a MiB, gone through byte by byte.
describe("a body", { timeout: 120_000 }, () => {
  it("is judged alike whether it is parsed or streamed", () => {
    const property = fc.property(bodyText, (text) => {
      const body = encoder.encode(text);
      expect(streamedVerdictOf(body)).toEqual(verdictOf(body));
    });
    fc.assert(property, { numRuns: 400 });
  });

  it("is refused for a name that appears twice exactly when that name decides something", () => {
    const property = fc.property(bodyText, (text) => {
      const body = encoder.encode(text);
      // The other reader's paths leave empty names out.
      fc.pre(isJsonObject(body) && !text.includes('""'));
      expect(verdictOf(body) === "invalid_json").toBe(namesADeciderTwice(body));
    });
    fc.assert(property, { numRuns: 600 });
  });

  it("is judged alike when it is broken, and as JSON.parse judges it", () => {
    const property = fc.property(brokenBody, (body) => {
      // A byte order mark is not white space, so there is no padding before it.
      fc.pre(body[0] !== 0xef);
      const verdict = verdictOf(body);
      expect(streamedVerdictOf(body)).toEqual(verdict);
      fc.pre(!new TextDecoder().decode(body).includes('""'));
      expect(verdict === "invalid_json").toBe(!isJsonObject(body) || namesADeciderTwice(body));
    });
    fc.assert(property, { numRuns: 400 });
  });

  it.each([
    ["a payroll report", STRICT_PAYROLL],
    ["employee changes", EMPLOYEE_CHANGES],
  ])("is judged alike as %s, whether it is parsed or streamed", (_what, rules) => {
    const property = fc.property(bodyText, (text) => {
      const body = encoder.encode(text);
      const verdict = validateStrictly(body, rules);
      expect(validateStrictly(padded(body), rules)).toEqual(verdict);
      if (!verdict.ok) expect(describeFailure(verdict.error).code).toBe("VALIDATION_ERROR");
    });
    fc.assert(property, { numRuns: 100 });
  });

  it("is judged without an exception, whatever it contains", () => {
    const property = fc.property(fc.uint8Array({ maxLength: 400 }), (body) => {
      const verdict = isJsonObject(body) ? "no_employees" : "invalid_json";
      expect(streamedVerdictOf(body)).toEqual(verdict);
      expect(verdictOf(body)).toEqual(verdict);
    });
    fc.assert(property, { numRuns: 150 });
  });

  it("is judged alike with unknown fields", () => {
    const extra = fc.tuple(quoted(unknownName), jsonValue).map(([name, member]) => `${name}:${member}`);
    // One warning per path: an odd value of a known field would hide its other problem, unless too many others are odd.
    const plainScalar = scalar.filter((member) => !/\\u(?:0000|d[89a-f])/i.test(member));
    const field = fc
      .tuple(quoted(fc.constantFrom(...KNOWN_FIELDS)), plainScalar)
      .map(([name, member]) => `${name}:${member}`);
    const fields = (maxLength: number) => fc.uniqueArray(field, { maxLength, selector: nameOfMember });
    const property = fc.property(
      fields(5),
      fc.array(fields(8), { minLength: 1, maxLength: 4 }),
      fields(3),
      fc.array(extra, { minLength: 1, maxLength: 4 }),
      (top, people, period, unknown) => {
        const reportWith = (more: string[]) =>
          `{${[
            ...top,
            `"employees":[${people.map((fields) => `{${[...fields, ...more].join(",")}}`).join(",")}]`,
            `"pay_period":{${[...more, ...period].join(",")}}`,
            ...more,
          ].join(",")}}`;
        const plain = withoutOddities(verdictOf(encoder.encode(reportWith([]))));
        const more = encoder.encode(reportWith(unknown));
        expect(withoutOddities(verdictOf(more))).toEqual(plain);
        expect(streamedVerdictOf(more)).toEqual(verdictOf(more));
      },
    );
    fc.assert(property, { numRuns: 200 });
  });
});

function nameOfMember(text: string): string | undefined {
  return Object.keys(JSON.parse(`{${text}}`))[0];
}

/** By another reader of JSON. */
function namesADeciderTwice(body: Uint8Array): boolean {
  const findings = scanJson(new TextDecoder().decode(body));
  // That reader reports no more than so many.
  fc.pre(findings.length < MAX_FINDINGS);
  return findings.some(({ kind, path }) => kind === "repeated_name" && DECIDING.has(path));
}

function isJsonObject(body: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}
