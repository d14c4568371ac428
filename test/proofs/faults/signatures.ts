/** Verifies a delivery's signatures as a receiver would, without code of the gateway. Pure. */
import { createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { sign } from "../../../dev/sign-inbound.ts";
import type { Endpoint } from "./endpoints.ts";

/** What is wrong with a delivery's signatures in the three documented schemes; null when they are valid. */
export function wrongWith(
  headers: IncomingHttpHeaders,
  body: Uint8Array,
  { secret, signature_format: format }: Pick<Endpoint, "secret" | "signature_format">,
): string | null {
  const id = String(headers["webhook-id"]);
  const milliseconds = String(headers["x-webhook-timestamp"]);
  const seconds = String(Math.floor(Number(milliseconds) / 1_000));
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const standard = createHmac("sha256", key).update(`${id}.${seconds}.`).update(body).digest("base64");
  const expected = {
    "x-webhook-signature": sign(secret, milliseconds, body),
    "audit1-signature":
      format === "sha256"
        ? `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`
        : `t=${seconds},v1=${sign(secret, seconds, body)}`,
    "webhook-timestamp": seconds,
    "webhook-signature": `v1,${standard}`,
  };
  const wrong = Object.entries(expected).find(([name, value]) => headers[name] !== value);
  return wrong === undefined ? null : `${wrong[0]} is ${headers[wrong[0]]}, not ${wrong[1]}`;
}
