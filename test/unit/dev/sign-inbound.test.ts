import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { sign, signedHeaders } from "../../../dev/sign-inbound.ts";

interface Vector {
  name: string;
  secret: string;
  timestamp: string;
  body_base64: string;
  timestamped_hex: string;
}

const vectors: { cases: Vector[] } = JSON.parse(
  readFileSync(new URL("../../vectors/signatures.json", import.meta.url), "utf8"),
);

describe("sign", () => {
  it.each(vectors.cases)(
    "agrees with openssl: $name",
    ({ secret, timestamp, body_base64, timestamped_hex }) => {
      expect(sign(secret, timestamp, Buffer.from(body_base64, "base64"))).toBe(timestamped_hex);
    },
  );
});

describe("signedHeaders", () => {
  it("signs the timestamp it sends", () => {
    const body = new TextEncoder().encode("{}");
    expect(signedHeaders("s", 1_772_323_200_000, body)).toEqual({
      "content-type": "application/json",
      "x-webhook-timestamp": "1772323200000",
      "x-webhook-signature": sign("s", "1772323200000", body),
    });
  });
});
