/** Decisions from headers alone: tables for the pure functions. */
import { describe, expect, it, vi } from "vitest";
import { describeFailure } from "../../../src/http/failure.ts";
import { idempotencyKey } from "../../../src/http/idempotency-key.ts";
import {
  checkBodyHeaders,
  checkHeaders,
  contentTypeFact,
  preferredWait,
} from "../../../src/inbound/headers.ts";
import { checkTimestamp } from "../../../src/inbound/timestamp-window.ts";
import { err, ok } from "../../../src/result.ts";

const NOW = 1_772_323_200_000;

describe("checkTimestamp", () => {
  it.each([
    ["now", String(NOW), NOW],
    ["five minutes ago", String(NOW - 300_000), NOW - 300_000],
    ["five minutes ahead", String(NOW + 300_000), NOW + 300_000],
    ["leading zeros", `000${NOW}`, NOW],
    ["the same header twice", `${NOW}, ${NOW}`, NOW],
    ["the same header three times, joined without a blank", `${NOW},${NOW},${NOW}`, NOW],
    ["a millisecond too old", String(NOW - 300_001), "clock_behind"],
    ["a millisecond too far ahead", String(NOW + 300_001), "clock_ahead"],
    ["microseconds", `${NOW}000`, "clock_ahead"],
    ["the largest integer taken", "9999999999999999", "clock_ahead"],
    ["seconds", String(NOW / 1_000), "seconds"],
    ["zero", "0", "seconds"],
    ["the last value taken for seconds", "99999999999", "seconds"],
    ["the first value taken for milliseconds", "100000000000", "clock_behind"],
  ])("accepts or refuses %s: %j → %j", (_, header, expected) => {
    const checked = checkTimestamp(header, NOW);
    if (typeof expected === "number") {
      expect(checked).toEqual(ok({ timestampMs: expected, text: header.split(",")[0] }));
    } else {
      const aheadMs = Number(header) - NOW;
      const failure = { kind: "timestamp_expired", reason: expected, aheadMs, serverTimeMs: NOW };
      expect(checked).toEqual(err(failure));
    }
  });

  it.each<[string, string, string | null]>([
    ["seventeen digits", `0000${NOW}`, "a number in nanoseconds or finer"],
    ["nanoseconds", `${NOW}000000`, "a number in nanoseconds or finer"],
    ["nothing", "", null],
    ["a fraction", `${NOW}.0`, "a number with a fraction"],
    [
      "seconds with a fraction, as Python's time.time() has them",
      "1772323200.1234",
      "a number with a fraction",
    ],
    ["a minus", `-${NOW}`, "a negative number"],
    ["a plus", `+${NOW}`, "a number with a plus sign"],
    ["an exponent", "1.772e12", "a number with an exponent"],
    ["hex", "0x19CA5A5C800", "a hex number"],
    ["a blank", ` ${NOW}`, null],
    ["quotes", `"${NOW}"`, "a value in quotes"],
    ["an escape", `${NOW}\\n`, "a number with an escape sequence, such as `\\n`"],
    ["a unit", `${NOW}ms`, "a number with a unit"],
    ["separators", "1,772,323,200,000", "a number with separators"],
    ["two values", `${NOW}, ${NOW + 1}`, "two values: the header was sent twice, with different values"],
    ["a date", "2026-03-01T00:00:00.000Z", "a formatted date"],
    ["an HTTP date", "Sun, 01 Mar 2026 00:00:00 GMT", "a formatted date"],
    [
      "what macOS makes of %N",
      "17723232003N",
      "what `date` prints when it does not support `%N`, as on macOS",
    ],
    ["a missing value", "undefined", "the word that a program prints for a missing value"],
    ["NaN", "NaN", "the word that a program prints for a missing value"],
    ["a placeholder", "{{timestamp}}", "a placeholder that was never filled in"],
    ["digits of another script", "١٧٧٢٣٢٣٢٠٠٠٠٠", null],
    ["an essay", "<".repeat(16_000), null],
  ])("says what the header contains: %s", (_, header, form) => {
    const failure = { kind: "timestamp_expired", reason: "not_a_number", form, serverTimeMs: NOW };
    expect(checkTimestamp(header, NOW)).toEqual(err(failure));
  });

  it.each([
    ["clock_ahead", 301_000, "5 minutes 1 second ahead"],
    ["clock_ahead", 7_500_000, "2 hours 5 minutes ahead"],
    ["clock_behind", -3_600_000, "1 hour behind"],
    ["clock_behind", -90_061_000, "1 day 1 hour behind"],
    ["seconds", -1_770_000_000_000, "Multiply it by 1000"],
    ["seconds", NOW / 1_000 + 42 - NOW, "read as seconds, it is 42 seconds ahead of the server's time"],
    ["seconds", NOW / 1_000 - 3_600 - NOW, "read as seconds, it is 1 hour behind the server's time"],
    ["clock_ahead", 1_770_551_000_000_000, "It may be in microseconds: divide it by 1000"],
  ] as const)("tells %s by %i ms with the server's time", (reason, aheadMs, words) => {
    const { message, details } = describeFailure({
      kind: "timestamp_expired",
      reason,
      aheadMs,
      serverTimeMs: NOW,
    });
    expect(message).toContain(words);
    expect(message).toContain(`The server's time is ${NOW} (2026-03-01T00:00:00.000Z).`);
    expect(details).toEqual({ server_time: NOW, window_ms: 300_000 });
  });
});

describe("preferredWait", () => {
  it.each<[string | null, number]>([
    [null, 7],
    ["", 7],
    ["wait=10", 10],
    ["wait=0", 0],
    ["wait=1", 1],
    ["wait=30", 30],
    ["wait=31", 30],
    ["wait=999999999", 30],
    ["WAIT=4", 4],
    ["wait = 4", 4],
    ["  wait=4  ", 4],
    ['wait="4"', 4],
    ["wait=4; foo=bar", 4],
    ["respond-async, wait=4", 4],
    ["wait=4, respond-async", 4],
    ["return=minimal;wait=4", 7],
    ["wait=4, wait=9", 4],
    ["wait=soon, wait=9", 9],
    ["wait", 7],
    ["wait=", 7],
    ["wait=-1", 7],
    ["wait=1.5", 7],
    ["wait=4s", 7],
    ["wait=4 5", 7],
    ["await=4", 7],
    ["wait=99999999999999999999", 7],
    ["respond-async", 7],
  ])("reads %j as %i seconds (without a preference: 7)", (prefer, seconds) => {
    expect(preferredWait(new Headers(prefer === null ? {} : { Prefer: prefer }), 7)).toBe(seconds);
  });

  it("reads several Prefer headers as one list", () => {
    const headers = new Headers();
    headers.append("Prefer", "respond-async");
    headers.append("Prefer", "wait=4");
    expect(preferredWait(headers, 0)).toBe(4);
  });
});

describe("idempotencyKey", () => {
  const printable = Array.from({ length: 0x7f - 0x21 }, (_, i) => String.fromCharCode(0x21 + i)).join("");

  it.each<[string, string | null]>([
    ["a UUID", "7f6c1c0e-7a39-4b6e-9a5e-0d8d2f9f2b11"],
    ["one character", "k"],
    ["255 characters", "k".repeat(255)],
    ["every printable character", printable],
    ["a blank inside", "a key"],
    ["a comma inside", "a,key"],
    ["quotes around it", '"a key"'],
  ])("accepts %s", (_, key) => {
    expect(idempotencyKey(new Headers(key === null ? {} : { "Idempotency-Key": key }))).toEqual(ok(key));
  });

  it.each([
    ["k, k", "k"],
    ["k,k", "k"],
    ["k, k, k", "k"],
    ["Acme Inc., Acme Inc.", "Acme Inc."],
  ])("counts a repeated, equal key once: %j → %j", (header, key) => {
    expect(idempotencyKey(new Headers({ "Idempotency-Key": header }))).toEqual(ok(key));
  });

  it("reads a missing key as null", () => {
    expect(idempotencyKey(new Headers())).toEqual(ok(null));
  });

  it.each([
    ["nothing", "", "It is empty"],
    ["256 characters", "k".repeat(256), "It has 256 characters."],
    ["a tab", "a\tkey", "not printable ASCII"],
    ["two keys", "one, another", "sent twice with different keys"],
    ["a key and an empty one", "one, ", "sent twice with different keys"],
    ["two keys, each of them twice", "a, b, a, b", "sent twice with different keys"],
  ])("refuses %s", (_, key, problem) => {
    const headers = new Headers();
    vi.spyOn(headers, "get").mockReturnValue(key);
    expect(idempotencyKey(headers)).toEqual(
      err({ kind: "invalid_idempotency_key", problem: expect.stringContaining(problem) }),
    );
  });

  it("refuses what is not ASCII", () => {
    const headers = new Headers();
    vi.spyOn(headers, "get").mockReturnValue("schl\u00fcssel");
    expect(idempotencyKey(headers)).toMatchObject({ ok: false, error: { kind: "invalid_idempotency_key" } });
  });
});

describe("contentTypeFact", () => {
  it.each<[string | null, string | null]>([
    [null, null],
    ["", null],
    ["application/json", "application/json"],
    ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded"],
    ["application/json, application/json", "application/json, application/json"],
    [`text/${"x".repeat(250)}`, `text/${"x".repeat(250)}`],
    [`text/${"x".repeat(251)}`, null],
    ["text/plain\tx", null],
  ])("of %j is %j", (given, kept) => {
    const headers = new Headers(given === null ? {} : { "Content-Type": given });
    expect(contentTypeFact(headers)).toEqual(kept === null ? {} : { contentType: kept });
  });
});

describe("checkBodyHeaders", () => {
  const encoding = (value: string) => ({ kind: "unsupported_encoding", encoding: value });
  const tooLarge = { kind: "payload_too_large", limitBytes: 100 };

  it.each<[Record<string, string>, object | null]>([
    [{}, null],
    [{ "Content-Encoding": "" }, null],
    [{ "Content-Encoding": "identity" }, null],
    [{ "Content-Encoding": " Identity " }, null],
    [{ "Content-Encoding": "gzip" }, encoding("gzip")],
    [{ "Content-Encoding": "GZIP" }, encoding("gzip")],
    [{ "Content-Encoding": "deflate" }, encoding("deflate")],
    [{ "Content-Encoding": "br" }, encoding("br")],
    [{ "Content-Encoding": "zstd" }, encoding("zstd")],
    [{ "Content-Encoding": "identity, identity" }, null],
    [{ "Content-Encoding": "identity, gzip" }, encoding("gzip")],
    [{ "Content-Encoding": "something" }, encoding("something")],
    [{ "Content-Length": "0" }, null],
    [{ "Content-Length": "100" }, null],
    [{ "Content-Length": "101" }, tooLarge],
    [{ "Content-Length": "99999999999999999999999" }, tooLarge],
    [{ "Content-Length": "many" }, null],
    [{ "Content-Encoding": "gzip", "Content-Length": "101" }, encoding("gzip")],
  ])("%j with a limit of 100 → %j", (headers, expected) => {
    expect(checkBodyHeaders(new Headers(headers), 100)).toEqual(expected);
  });
});

it.each([
  ["gzip", "`gzip`. Send the body uncompressed"],
  ["utf-8", "`utf-8`, which is a charset, not an encoding. Leave the header out."],
  ["aws-chunked", "`aws-chunked`. Send the body uncompressed"],
  ["<script>", "an unknown encoding. Send the body uncompressed"],
])("the encoding %j is named if it is one: %s", (encoding, words) => {
  expect(describeFailure({ kind: "unsupported_encoding", encoding }).message).toContain(words);
});

describe("checkHeaders", () => {
  const signed = { "X-Webhook-Signature": "a".repeat(64), "X-Webhook-Timestamp": String(NOW) };
  const limits = { maxBodyBytes: 100, now: NOW };

  it.each([
    ["0123456789abcdef01234567", true],
    ["0123456789ABCDEF01234567", true],
    ["0123456789abcdef0123456", false],
    ["0123456789abcdef012345678", false],
    ["0123456789abcdef0123456g", false],
    ["0123456789abcdef0123456\n", false],
    [" 123456789abcdef01234567", false],
    ["", false],
  ])("takes %j for a connection's id: %s", (id, is) => {
    const checked = checkHeaders(id, new Headers(signed), limits);
    if (is) expect(checked).toMatchObject(ok({ connectionId: id.toLowerCase(), timestampMs: NOW }));
    else expect(checked).toEqual(err({ kind: "invalid_connection_id" }));
  });

  it("leaves a header that cannot be a signature to the signature check", () => {
    const headers = new Headers({ ...signed, "X-Webhook-Signature": "sha256=abc" });
    expect(checkHeaders("0".repeat(24), headers, limits)).toMatchObject(
      ok({ signature: err(expect.stringContaining("sha256=")) }),
    );
  });

  it("counts repeated, equal headers once, and verifies the single value", () => {
    const twice = new Headers(signed);
    for (const [name, value] of Object.entries(signed)) twice.append(name, value);
    const once = checkHeaders("0".repeat(24), new Headers(signed), limits);
    expect(checkHeaders("0".repeat(24), twice, limits)).toEqual(once);
  });

  it("treats repeated, empty headers as missing", () => {
    const headers = new Headers({ "X-Webhook-Signature": ", ", "X-Webhook-Timestamp": "," });
    const missing = ["X-Webhook-Signature", "X-Webhook-Timestamp"];
    expect(checkHeaders("0".repeat(24), headers, limits)).toEqual(err({ kind: "missing_headers", missing }));
  });
});
