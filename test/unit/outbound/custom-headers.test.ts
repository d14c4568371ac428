import { describe, expect, it } from "vitest";
import { checkCustomHeaders, MAX_HEADERS } from "../../../src/outbound/custom-headers.ts";
import { newWebhookSecret, signDelivery, signersOf } from "../../../src/outbound/signing.ts";

const RESERVED = "This header is reserved";

describe("custom headers", () => {
  it("are kept as they were given, a receiver's own authorization among them", () => {
    const headers = {
      Authorization: "Bearer abc.def==",
      "X-Tenant": "seven, eight",
      "Idempotency-Style": "~",
    };
    expect(checkCustomHeaders(headers)).toEqual({ ok: true, value: headers });
    expect(checkCustomHeaders({})).toEqual({ ok: true, value: {} });
  });

  it("may be none that a delivery has of its own", async () => {
    const secrets: [string, string] = [newWebhookSecret(), newWebhookSecret()];
    const signed = await signDelivery({
      id: "evt_1",
      body: new Uint8Array(),
      signers: await signersOf(secrets),
      rotating: true,
      format: "timestamped",
      now: 1,
    });
    for (const name of [...Object.keys(signed), "Content-Type", "User-Agent"]) {
      expect(checkCustomHeaders({ [name]: "x" })).toEqual({
        ok: false,
        error: { [`headers.${name}`]: RESERVED },
      });
    }
  });

  it.each([
    ["host", RESERVED],
    ["Content-Length", RESERVED],
    ["CONTENT-ENCODING", RESERVED],
    ["Connection", RESERVED],
    ["Keep-Alive", RESERVED],
    ["Transfer-Encoding", RESERVED],
    ["TE", RESERVED],
    ["Trailer", RESERVED],
    ["Upgrade", RESERVED],
    ["Expect", RESERVED],
    ["Proxy-Authorization", RESERVED],
    ["CF-Connecting-IP", RESERVED],
    ["X-Forwarded-For", RESERVED],
    ["Forwarded", RESERVED],
    ["X-Webhook-Anything", RESERVED],
    ["Webhook-Later", RESERVED],
    ["Svix-Signature", RESERVED],
    ["", "Not a valid header name"],
    ["X Y", "Not a valid header name"],
    ["X-Ü", "Not a valid header name"],
    ["X-A:", "Not a valid header name"],
    ["X-A\r\nX-B", "Not a valid header name"],
  ])("are refused for their name: %j", (name, problem) => {
    expect(checkCustomHeaders({ [name]: "x" })).toEqual({
      ok: false,
      error: { [`headers.${name}`]: problem },
    });
  });

  it.each(["", " x", "x ", "x\r\nX-B: y", "x\ny", "x\ty", "é", "\u0000", "\u007f"])(
    "are refused for a value that is not plain: %j",
    (value) => {
      const problem = "A value is printable ASCII without spaces at either end";
      expect(checkCustomHeaders({ "X-A": value })).toEqual({ ok: false, error: { "headers.X-A": problem } });
    },
  );

  it("are bounded in number and size", () => {
    const many = Object.fromEntries(Array.from({ length: MAX_HEADERS + 1 }, (_, i) => [`X-${i}`, "x"]));
    expect(checkCustomHeaders(many)).toEqual({ ok: false, error: { headers: "At most 20 headers" } });
    const long = "x".repeat(2_048);
    expect(checkCustomHeaders({ "X-A": `${long}x` })).toMatchObject({ ok: false });
    expect(checkCustomHeaders({ "X-A": long })).toMatchObject({ ok: true });
    expect(checkCustomHeaders({ "X-A": long, "X-B": long })).toMatchObject({
      error: { headers: "At most 4096 characters in all" },
    });
    expect(checkCustomHeaders({ ["X".repeat(65)]: "x" })).toMatchObject({ ok: false });
  });

  it("are rejected if a name appears twice in different letter case", () => {
    expect(checkCustomHeaders({ "X-A": "1", "x-a": "2" })).toEqual({
      ok: false,
      error: { "headers.x-a": "This name is given twice" },
    });
  });
});
