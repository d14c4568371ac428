/** Requests that are unsigned, wrongly signed, or for other endpoints. */
import fc from "fast-check";
import { bodyText, brokenBody } from "../../support/json-texts.ts";
import type { Sender } from "./gateway.ts";
import { headerText, type Outgoing, type Recipe, reportOf, sign, signed } from "./outgoing.ts";

/** A refusal based on a cached row is confirmed up to fifty times per second. Beyond that the response is 503. */
const NOT_SIGNED = [401, 429, 503];
const NOT_KNOWN = [404, 429, 503];

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
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
export const forged: fc.Arbitrary<Recipe> = fc
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

export const unknownConnection: fc.Arbitrary<Recipe> = hex(24).map((id) => ({
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
export const stranger: fc.Arbitrary<Recipe> = fc
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
      ...(request.path.startsWith("/health") ? [200, 503] : []),
    ],
    times: 1,
    make: () => ({
      ...request,
      body: request.method === "GET" || request.method === "HEAD" ? null : request.body,
    }),
  }));
