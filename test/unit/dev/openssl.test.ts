/** The openssl commands of the console's docs compute what the calculator computes. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import {
  SCHEME_RULES,
  SIGNATURE_SCHEMES,
  signatureBy,
} from "../../../src/console/calculator/signature-schemes.ts";
import { OPENSSL } from "../../../src/console/samples/openssl.ts";

const signable = { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", timestamp: "1774000000", id: "evt_1" };
const BODY = '{"name": "José 100%", "n": 1.0}';

it.each(SIGNATURE_SCHEMES)("by %s", async (scheme) => {
  const { secret, timestamp, id } = signable;
  const env = { PATH: process.env.PATH, SECRET: secret, TIMESTAMP: timestamp, ID: id, BODY };
  const printed = execFileSync("sh", ["-c", OPENSSL[scheme]], { env, encoding: "utf8" });
  const signature = await signatureBy(scheme, { ...signable, body: new TextEncoder().encode(BODY) });
  const value = SCHEME_RULES[scheme].written(signature ?? new Uint8Array(), timestamp);
  expect(value).toContain(printed.trim().replace(/^.* /, ""));
  expect(printed.trim().length).toBeGreaterThan(40);
});
