/** What to send, made up by fast-check from a seed: requests of every kind, each with the answers that are right for it. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { bodyText, brokenBody, jsonValue } from "../test/support/json-texts.ts";
import type { Sender } from "./gateway.ts";

export interface Outgoing {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
}

export interface Recipe {
  kind: string;
  /** Statuses that are right. */
  statuses: readonly number[];
  /** Made when it is sent, because it is signed with the time. */
  make(sender: Sender, now: number): Outgoing;
  /** Sent this often, one after the other: the answers must name one file. */
  times: number;
  /** Refused before its body was sent: the connection may be closed under the sender before it has read the answer. */
  cutOff?: boolean;
}

const ACCEPTED = [202];
/** A refusal that rests on a cached row is confirmed, fifty a second; past that the answer is to try again. */
const NOT_SIGNED = [401, 429, 503];
const NOT_KNOWN = [404, 429, 503];

export function sign(secret: string, timestamp: string, body: Buffer): string {
  return createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
}

export function inbound({ id }: { id: string }): string {
  return `/api/v1/webhook/inbound/${id}`;
}

function signed(sender: Sender, now: number, body: Buffer, more: Record<string, string> = {}): Outgoing {
  const timestamp = String(now);
  const headers = {
    "content-type": "application/json",
    "x-webhook-signature": sign(sender.secret, timestamp, body),
    "x-webhook-timestamp": timestamp,
    ...more,
  };
  return { method: "POST", path: inbound(sender), headers, body };
}

/** What a plain reading of the contract says of a signed body. */
function rightStatuses(body: Buffer): readonly number[] {
  try {
    const report: unknown = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body),
    );
    const employees = (report as { employees?: unknown } | null)?.employees;
    return Array.isArray(employees) && employees.length > 0 && !Array.isArray(report) ? ACCEPTED : [400];
  } catch {
    return [400];
  }
}

let reports = 0;
const reportOf = (note: string, value: string) =>
  Buffer.from(
    `{"policy_number":"WC${reports++}","employees":[{"first_name":"Ann","gross_wages":${value}}],"note":${note}}`,
  );

const padded = (body: Buffer, size: number) =>
  Buffer.concat([body, Buffer.alloc(size - body.byteLength, " ")]);

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const headerText = fc
  .string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 80,
  })
  .map((text) => text.trim());

const goodReport: fc.Arbitrary<Recipe> = fc
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

const anyJson: fc.Arbitrary<Recipe> = fc
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

const deepJson: fc.Arbitrary<Recipe> = fc
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

const largeReport: fc.Arbitrary<Recipe> = fc
  .constantFrom(64 * 1024 - 100, 65 * 1024, 256 * 1024, 257 * 1024, 1024 ** 2, 10 * 1024 ** 2 + 1)
  .map((size) => ({
    kind: "signed report, large",
    statuses: size > 10 * 1024 ** 2 ? [413] : ACCEPTED,
    times: 1,
    cutOff: size > 10 * 1024 ** 2,
    make: (sender, now) => signed(sender, now, padded(reportOf("1", "1"), size)),
  }));

const keyed: fc.Arbitrary<Recipe> = fc
  .oneof(headerText, fc.constantFrom("key-1", "a", "b", "x".repeat(255), "x".repeat(256)))
  .map((key) => ({
    kind: "signed report with a key",
    // A key that was used before for another report is a conflict.
    statuses: /^[\x20-\x7e]{1,255}$/.test(key) ? [202, 409] : [400],
    times: 1,
    make: (sender, now) => signed(sender, now, reportOf("1", "1"), { "idempotency-key": key }),
  }));

const oddHeaders: fc.Arbitrary<Recipe> = fc
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

type Forgery = (request: Outgoing, sender: Sender, now: number) => Outgoing;
const withHeaders = (request: Outgoing, headers: Record<string, string>) => ({
  ...request,
  headers: { ...request.headers, ...headers },
});
const FORGERIES: Record<string, Forgery> = {
  "another body": (request) => ({
    ...request,
    body: Buffer.concat([request.body ?? Buffer.alloc(0), Buffer.from(" ")]),
  }),
  "another timestamp": (request, _, now) => withHeaders(request, { "x-webhook-timestamp": String(now - 1) }),
  "another secret": (request, sender, now) =>
    withHeaders(request, {
      "x-webhook-signature": sign(`${sender.secret} `, String(now), request.body ?? Buffer.alloc(0)),
    }),
  "no signature": (request) => withHeaders(request, { "x-webhook-signature": "" }),
  "no timestamp": (request) => withHeaders(request, { "x-webhook-timestamp": "" }),
  "an old timestamp": (request, sender, now) =>
    signed(sender, now - 300_001, request.body ?? Buffer.alloc(0)),
  "a future timestamp": (request, sender, now) =>
    signed(sender, now + 330_000, request.body ?? Buffer.alloc(0)),
  seconds: (request, sender, now) => signed(sender, Math.floor(now / 1_000), request.body ?? Buffer.alloc(0)),
  "a prefix": (request) =>
    withHeaders(request, { "x-webhook-signature": `sha256=${request.headers["x-webhook-signature"]}` }),
};
const forged: fc.Arbitrary<Recipe> = fc
  .record({
    name: fc.constantFrom(...Object.keys(FORGERIES)),
    address: fc.nat(5_000),
    junk: fc.option(headerText),
  })
  .map(({ name, address, junk }) => ({
    kind: "not signed",
    statuses: NOT_SIGNED,
    times: 1,
    make(sender, now) {
      const request = FORGERIES[name]?.(signed(sender, now, reportOf("1", "1")), sender, now);
      if (request === undefined) throw new Error(`no forgery ${name}`);
      const broken = junk === null ? request : withHeaders(request, { "x-webhook-signature": junk });
      return withHeaders(broken, { "cf-connecting-ip": `10.0.${address >> 8}.${address & 255}` });
    },
  }));

const unknownConnection: fc.Arbitrary<Recipe> = hex(24).map((id) => ({
  kind: "unknown connection",
  statuses: NOT_KNOWN,
  times: 1,
  make: ({ secret }, now) => signed({ id, secret }, now, reportOf("1", "1")),
}));

const ROUTES = [
  "connections",
  "api-keys",
  "employers/EMP_FUZZ",
  "events",
  "files",
  "files/status/FILE_0",
  "files/FILE_0/replay",
  "webhook/inbound/",
  "",
];
const pathText = fc.string({
  unit: fc.constantFrom(..."abc019/.%-_~;:@?&=+,2eEfF0", "%00", "%2F", "%ff", "..", "//"),
  maxLength: 60,
});
const stranger: fc.Arbitrary<Recipe> = fc
  .record({
    method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"),
    path: fc.oneof(
      pathText.map((text) => `/${text}`),
      fc.tuple(fc.constantFrom(...ROUTES), pathText).map(([route, text]) => `/api/v1/${route}${text}`),
      fc.integer({ min: 1, max: 30_000 }).map((length) => `/${"a".repeat(Math.min(length, 12_000))}`),
    ),
    headers: fc.dictionary(
      fc.constantFrom("authorization", "x-client-id", "x-client-secret", "content-type", "accept"),
      fc.oneof(headerText, fc.constantFrom("Bearer audit1_live_sk_0", "fuzz")),
    ),
    body: fc.option(
      fc.oneof(
        bodyText.map((text) => Buffer.from(text)),
        brokenBody.map((bytes) => Buffer.from(bytes)),
      ),
    ),
  })
  .map((request) => ({
    kind: "stranger, any path",
    statuses: [
      400,
      401,
      403,
      404,
      405,
      413,
      414,
      415,
      429,
      431,
      ...(request.path.startsWith("/health") ? [200] : []),
    ],
    times: 1,
    make: () => ({
      ...request,
      body: request.method === "GET" || request.method === "HEAD" ? null : request.body,
    }),
  }));

export const recipe: fc.Arbitrary<Recipe> = fc.oneof(
  { weight: 28, arbitrary: goodReport },
  { weight: 22, arbitrary: anyJson },
  { weight: 4, arbitrary: deepJson },
  { weight: 1, arbitrary: largeReport },
  { weight: 5, arbitrary: keyed },
  { weight: 8, arbitrary: oddHeaders },
  { weight: 15, arbitrary: forged },
  { weight: 2, arbitrary: unknownConnection },
  { weight: 15, arbitrary: stranger },
);
