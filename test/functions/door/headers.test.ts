/** What is decided from headers alone: tables of the pure functions. */
import { describe, expect, it, vi } from "vitest";
import {
  checkBodyHeaders,
  checkHeaders,
  contentTypeFact,
  idempotencyKey,
  preferredWait,
} from "../../../src/inbound/headers.ts";
import { checkTimestamp } from "../../../src/inbound/signature.ts";

const NOW = 1_772_323_200_000;

describe("checkTimestamp", () => {
  it.each([
    ["now", String(NOW), NOW],
    ["five minutes ago", String(NOW - 300_000), NOW - 300_000],
    ["five minutes ahead", String(NOW + 300_000), NOW + 300_000],
    ["leading zeros", `000${NOW}`, NOW],
    ["a millisecond too old", String(NOW - 300_001), "outside_window"],
    ["a millisecond too far ahead", String(NOW + 300_001), "outside_window"],
    ["microseconds", `${NOW}000`, "outside_window"],
    ["the largest integer taken", "9999999999999999", "outside_window"],
    ["seconds", String(NOW / 1_000), "looks_like_seconds"],
    ["zero", "0", "looks_like_seconds"],
    ["the last value taken for seconds", "99999999999", "looks_like_seconds"],
    ["the first value taken for milliseconds", "100000000000", "outside_window"],
    ["seventeen digits", `0000${NOW}`, "not_an_integer"],
    ["nothing", "", "not_an_integer"],
    ["a fraction", `${NOW}.0`, "not_an_integer"],
    ["a minus", `-${NOW}`, "not_an_integer"],
    ["a plus", `+${NOW}`, "not_an_integer"],
    ["an exponent", "1.772e12", "not_an_integer"],
    ["hex", "0x19CA5A5C800", "not_an_integer"],
    ["a blank", ` ${NOW}`, "not_an_integer"],
    ["a line break", `${NOW}\n`, "not_an_integer"],
    ["two values", `${NOW}, ${NOW}`, "not_an_integer"],
    ["a date", "2026-03-01T00:00:00.000Z", "not_an_integer"],
    ["digits of another script", "١٧٧٢٣٢٣٢٠٠٠٠٠", "not_an_integer"],
  ])("takes or refuses %s: %j → %j", (_, text, expected) => {
    expect(checkTimestamp(text, NOW)).toEqual(
      typeof expected === "number"
        ? { timestampMs: expected }
        : { failure: { kind: "timestamp_expired", reason: expected, serverTimeMs: NOW } },
    );
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
  ])("takes %s", (_, key) => {
    expect(idempotencyKey(new Headers(key === null ? {} : { "Idempotency-Key": key }))).toEqual({ key });
  });

  it("takes none for none", () => {
    expect(idempotencyKey(new Headers())).toEqual({ key: null });
  });

  it.each([
    ["nothing", ""],
    ["256 characters", "k".repeat(256)],
    ["a tab", "a\tkey"],
  ])("refuses %s", (_, key) => {
    expect(idempotencyKey(new Headers({ "Idempotency-Key": key }))).toEqual({
      failure: { kind: "invalid_idempotency_key" },
    });
  });

  it("refuses what is not ASCII", () => {
    const headers = new Headers();
    vi.spyOn(headers, "get").mockReturnValue("schl\u00fcssel");
    expect(idempotencyKey(headers)).toEqual({ failure: { kind: "invalid_idempotency_key" } });
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
    [{ "Content-Encoding": "identity, gzip" }, encoding("identity, gzip")],
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
    if (is) expect(checked).toMatchObject({ request: { connectionId: id.toLowerCase(), timestampMs: NOW } });
    else expect(checked).toEqual({ failure: { kind: "invalid_connection_id" } });
  });

  it("leaves a header that cannot be a signature to the step that checks signatures", () => {
    const headers = new Headers({ ...signed, "X-Webhook-Signature": "sha256=abc" });
    expect(checkHeaders("0".repeat(24), headers, limits)).toMatchObject({ request: { signature: null } });
  });
});
