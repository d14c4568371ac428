/** Bytes that are not HTTP, or that smuggle a second request. None is signed. */
import fc from "fast-check";
import { inbound } from "./outgoing.ts";

const LINE = "\r\n";
const junk = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

/** A complete request with a wrong signature, for the recipes to break. `lines` are added to its headers. */
function request(
  id: string,
  lines: string[],
  body: string,
  requestLine = `POST ${inbound({ id })} HTTP/1.1`,
): string {
  const headers = [
    "host: localhost",
    `x-webhook-signature: ${"0".repeat(64)}`,
    `x-webhook-timestamp: ${Date.now()}`,
    ...lines,
  ];
  return [requestLine, ...headers, "", body].join(LINE);
}

const LENGTHS = [
  "content-length: -1",
  "content-length: 5, 6",
  "content-length: 1e3",
  "content-length: 18446744073709551616",
  "content-length: 0x10",
];
const BOTH = ["content-length: 5", "transfer-encoding: chunked"];
const CHUNKS = [
  "zz\r\n{}\r\n0\r\n\r\n",
  "-1\r\n{}\r\n0\r\n\r\n",
  "ffffffffffffffffff\r\n{}",
  "2\r\n{}",
  "2;x=\u0000\r\n{}\r\n0\r\n\r\n",
  "2\r\n{}0\r\n\r\n",
];
// No CONNECT: the runtime itself responds to it, and Cloudflare's edge never forwards it.
const REQUEST_LINES = [
  "POST  / HTTP/1.1",
  "POST / HTTP/9.9",
  "POST",
  "GET http://[::1 HTTP/1.1",
  "GET * HTTP/1.1",
  "PROPFIND / HTTP/1.1",
  "get / HTTP/1.1",
  "GET /\u0000 HTTP/1.1",
  "GET /%zz HTTP/1.1",
  "TRACE / HTTP/1.1",
  "G\u00cbT / HTTP/1.1",
];
const HEADERS = [
  "no colon here",
  ": no name",
  "a b: c",
  "x\u0000y: z",
  "x: \u0000",
  "x: \u0007",
  " folded: y",
  "host: another",
  "content-length: 2",
  "expect: 100-continue",
  "upgrade: websocket",
  "connection: upgrade",
  "transfer-encoding: gzip, chunked",
  `x: ${"a".repeat(100_000)}`,
];

export function rawRequest(ids: readonly string[]): fc.Arbitrary<Buffer> {
  const id = fc.constantFrom(...ids);
  const latin1 = (text: string) => Buffer.from(text, "latin1");
  return fc.oneof(
    junk,
    fc.tuple(id, fc.constantFrom(...LENGTHS)).map(([to, line]) => latin1(request(to, [line], "{}"))),
    fc
      .tuple(id, fc.constantFrom(...CHUNKS))
      .map(([to, body]) => latin1(request(to, ["transfer-encoding: chunked"], body))),
    id.map((to) => latin1(request(to, BOTH, `0${LINE}${LINE}${request(to, ["content-length: 2"], "{}")}`))),
    fc
      .tuple(id, fc.constantFrom(...REQUEST_LINES))
      .map(([to, line]) => latin1(request(to, ["content-length: 2"], "{}", line))),
    fc
      .tuple(id, fc.constantFrom(...HEADERS))
      .map(([to, line]) => latin1(request(to, [line, "content-length: 2"], "{}"))),
    // Truncated anywhere, or with any byte changed.
    fc.tuple(id, fc.nat()).map(([to, cut]) => {
      const whole = latin1(request(to, ["content-length: 2"], "{}"));
      return whole.subarray(0, cut % whole.byteLength);
    }),
    fc.tuple(id, fc.nat(), fc.nat(255)).map(([to, at, byte]) => {
      const whole = latin1(request(to, ["content-length: 2"], "{}"));
      whole[at % whole.byteLength] = byte;
      return whole;
    }),
    // More than one request on one connection.
    id.map((to) => latin1(request(to, ["content-length: 2"], "{}").repeat(5))),
  );
}
