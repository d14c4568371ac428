import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mintRequestId, parseRequestId, requestAddress } from "../../../src/http/request-id.ts";

const ID = "40aeadcbdd77178e6c206b9f";
const HASH = "0123456789abcdef".repeat(4);
const NOW = Date.UTC(2026, 2, 16, 10, 30);

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`), { size: "max" });

describe("a minted request id", () => {
  it.each([
    [`c${ID}`, "connection", ID],
    [`k${HASH.slice(0, 24)}`, "key", HASH.slice(0, 24)],
    ["p", "portal", ""],
    ["o", "other", ""],
  ])("of the address %s is parsed back", (minted, kind, address) => {
    const id = mintRequestId(minted, NOW);
    expect(parseRequestId(id)).toEqual({ id, at: NOW, kind, address });
    expect(parseRequestId(id.toUpperCase())).toEqual({ id, at: NOW, kind, address });
    expect(id).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  });

  it("is parsed back whatever its address and time", () => {
    const address = fc.oneof(
      hex(24).map((id) => `c${id}`),
      hex(24).map((id) => `k${id}`),
      fc.constantFrom("p", "o"),
    );
    fc.assert(
      fc.property(address, fc.integer({ min: 0, max: 16 ** 11 - 1 }), (minted, at) => {
        const id = mintRequestId(minted, at);
        expect(parseRequestId(id)).toMatchObject({ id, at, address: minted.slice(1) });
      }),
    );
  });

  it("is another one each time, and sorts by time", () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => mintRequestId("o", NOW + i));
    expect(new Set(Array.from({ length: 1_000 }, () => mintRequestId("o", NOW))).size).toBe(1_000);
    expect(ids.toSorted()).toEqual(ids);
  });
});

describe("text that is no request id", () => {
  const minted = mintRequestId(`c${ID}`, NOW);
  it.each([
    ["nothing", ""],
    ["a prefix alone", "req_"],
    ["an unknown kind", minted.replace("req_c", "req_d")],
    ["a kind without its address", mintRequestId("c", NOW)],
    ["an address of the wrong kind", mintRequestId(`p${ID}`, NOW)],
    ["a digit more", `${minted}0`],
    ["a digit less", minted.slice(0, -1)],
    ["a line end", `${minted}\n`],
    ["a leading space", ` ${minted}`],
    ["a null character", `${minted.slice(0, -1)}\0`],
    ["another alphabet", minted.replace(/.$/, "е")],
    ["a letter that becomes a k in lower case", mintRequestId(`k${ID}`, NOW).replace("req_k", "req_\u212a")],
    ["a file id", "FILE_0G5ENQ5XTXRQHSP20TWZ01M80JEKT9D1HA6KX8WZ"],
    ["a UUID", crypto.randomUUID()],
    ["a long text", `${minted}${"0".repeat(1_000_000)}`],
  ])("is refused: %s", (_what, text) => {
    expect(parseRequestId(text)).toBeNull();
  });

  it("is never parsed, whatever it holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        expect(parseRequestId(text)).toBeNull();
        expect(parseRequestId(`req_o${text}`)?.id ?? null).toBeNull();
      }),
    );
  });
});

describe("the address in a request's id", () => {
  const bearer = new Headers({ Authorization: "Bearer x" });
  const client = new Headers({ Authorization: "Bearer x", "X-Client-ID": "portal" });
  it.each([
    ["the connection of the path", `/api/v1/webhook/inbound/${ID}`, {}, `c${ID}`],
    ["it in lower case", `/api/v1/webhook/inbound/${ID.toUpperCase()}`, {}, `c${ID}`],
    ["none for a malformed connection", `/api/v1/webhook/inbound/${ID}0`, {}, "o"],
    ["none for a path below", `/api/v1/webhook/inbound/${ID}/x`, {}, "o"],
    ["none without a connection", "/api/v1/webhook/inbound", {}, "o"],
    ["the start of the token's hash", "/api/v1/payroll/reports", { hash: HASH }, `k${HASH.slice(0, 24)}`],
    ["it at the other intake", "/api/v1/employees/sync", { hash: HASH }, `k${HASH.slice(0, 24)}`],
    ["none without a token", "/api/v1/payroll/reports", {}, "o"],
    ["the portal's", "/api/v1/connections", {}, "p"],
    ["none for a read with a key", "/api/v1/files", { headers: bearer }, "o"],
    ["the portal's with a client id", "/api/v1/files", { headers: client }, "p"],
    ["none elsewhere", "/docs", {}, "o"],
  ] as const)(
    "is %s",
    (_what, path, {
      headers = new Headers(),
      hash = null,
    }: { headers?: Headers; hash?: string | null }, address) => {
      expect(requestAddress(path, headers, hash)).toBe(address);
    },
  );
});
