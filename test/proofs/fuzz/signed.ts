/** Correctly signed requests: valid reports, JSON of every shape, large bodies, idempotency keys, odd headers. */
import fc from "fast-check";
import { MAX_FINDINGS, scanJson } from "../../../src/http/json-scan.ts";
import { DECIDING } from "../../../src/inbound/payroll-rules.ts";
import { bodyText, brokenBody, jsonValue } from "../../support/json-texts.ts";
import { headerText, inbound, type Recipe, reportOf, signed } from "./outgoing.ts";

const ACCEPTED = [202];

/** The expected statuses of a signed body, by a simple reading of the contract. */
function rightStatuses(body: Buffer): readonly number[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    const report: unknown = JSON.parse(text);
    const findings = scanJson(text);
    // The scanner stops after this many findings. A deciding name may be repeated after them.
    if (findings.length >= MAX_FINDINGS) return [202, 400];
    const repeated = findings.filter(({ kind }) => kind === "repeated_name");
    // The scanner's paths omit empty names, so that the path of a nested name is ambiguous.
    if (repeated.some(({ path }) => DECIDING.has(path))) return text.includes('""') ? [202, 400] : [400];
    const employees = (report as { employees?: unknown } | null)?.employees;
    return Array.isArray(employees) && employees.length > 0 && !Array.isArray(report) ? ACCEPTED : [400];
  } catch {
    return [400];
  }
}

const padded = (body: Buffer, size: number) =>
  Buffer.concat([body, Buffer.alloc(size - body.byteLength, " ")]);

export const goodReport: fc.Arbitrary<Recipe> = fc
  .record({
    note: jsonValue,
    value: fc.constantFrom("1", "-0", "9007199254740993", "1e400", '"x"', "null"),
    times: fc.constantFrom(1, 1, 1, 2, 3),
    upper: fc.boolean(),
  })
  .map(({ note, value, times, upper }) => ({
    kind: times === 1 ? "signed report" : "signed report, repeated",
    statuses: ACCEPTED,
    times,
    make(sender, now) {
      const request = signed(sender, now, reportOf(note, value));
      return upper ? { ...request, path: inbound({ id: sender.id.toUpperCase() }) } : request;
    },
  }));

export const anyJson: fc.Arbitrary<Recipe> = fc
  .oneof(
    bodyText.map((text) => Buffer.from(text)),
    brokenBody.map((bytes) => Buffer.from(bytes)),
  )
  .map((body) => ({
    kind: "signed JSON of any shape",
    statuses: rightStatuses(body),
    times: 1,
    make: (sender, now) => signed(sender, now, body),
  }));

export const deepJson: fc.Arbitrary<Recipe> = fc
  .record({
    depth: fc.oneof(fc.integer({ min: 55, max: 75 }), fc.constantFrom(1, 10_000, 100_000)),
    objects: fc.boolean(),
    pad: fc.constantFrom(0, 0, 0, 300_000),
  })
  .map(({ depth, objects, pad }) => ({
    kind: "signed JSON, deep",
    statuses: depth < 64 ? ACCEPTED : [400],
    times: 1,
    make(sender, now) {
      const nested = objects
        ? `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`
        : `${"[".repeat(depth)}${"]".repeat(depth)}`;
      return signed(sender, now, Buffer.concat([reportOf(nested, "1"), Buffer.alloc(pad, " ")]));
    },
  }));

export const largeReport: fc.Arbitrary<Recipe> = fc
  .constantFrom(64 * 1024 - 100, 65 * 1024, 256 * 1024, 257 * 1024, 1024 ** 2, 10 * 1024 ** 2 + 1)
  .map((size) => ({
    kind: "signed report, large",
    statuses: size > 10 * 1024 ** 2 ? [413] : ACCEPTED,
    times: 1,
    cutOff: size > 10 * 1024 ** 2,
    make: (sender, now) => signed(sender, now, padded(reportOf("1", "1"), size)),
  }));

/** A key that contains a comma and a space looks like two keys, unless all its parts are equal. */
function isKey(key: string): boolean {
  const [first, ...others] = key.split(",").map((part) => part.trim());
  const once = others.every((part) => part === first) ? (first ?? "") : key.includes(", ") ? "" : key;
  return /^[\x20-\x7e]{1,255}$/.test(once);
}

export const keyed: fc.Arbitrary<Recipe> = fc
  .oneof(headerText, fc.constantFrom("key-1", "a", "b", "x".repeat(255), "x".repeat(256)))
  .map((key) => ({
    kind: "signed report with a key",
    // A key that was used before for another report is a conflict.
    statuses: isKey(key) ? [202, 409] : [400],
    times: 1,
    make: (sender, now) => signed(sender, now, reportOf("1", "1"), { "idempotency-key": key }),
  }));

export const oddHeaders: fc.Arbitrary<Recipe> = fc
  .record({
    encoding: fc.constantFrom("", "identity", "gzip", "br, gzip", "x"),
    more: fc.dictionary(
      fc.constantFrom(
        "x-request-id",
        "content-type",
        "prefer",
        "accept",
        "cookie",
        "x-forwarded-for",
        "cf-ray",
        "traceparent",
        "range",
        "if-none-match",
        "x-long",
      ),
      fc.oneof(headerText, fc.constantFrom("wait=abc", "wait=-1", "multipart/form-data", "y".repeat(4_000))),
    ),
  })
  .map(({ encoding, more }) => ({
    kind: "signed report, odd headers",
    statuses: encoding === "" || encoding === "identity" ? ACCEPTED : [415],
    times: 1,
    make: (sender, now) =>
      signed(sender, now, reportOf("1", "1"), { ...(encoding && { "content-encoding": encoding }), ...more }),
  }));
