/** A request to send, and its expected responses. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import type { Sender } from "./gateway.ts";

export interface Outgoing {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
}

export interface Recipe {
  kind: string;
  /** The expected statuses. */
  statuses: readonly number[];
  /** Built when it is sent, because the signature includes the time. */
  make(sender: Sender, now: number): Outgoing;
  /** How often to send it, one after the other. All responses must name the same file. */
  times: number;
  /** Rejected before its body is sent: the connection may be closed before the sender has read the response. */
  cutOff?: boolean;
}

export function sign(secret: string, timestamp: string, body: Buffer): string {
  return createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
}

export function inbound({ id }: { id: string }): string {
  return `/api/v1/webhook/inbound/${id}`;
}

/** The request of an honest sender. */
export function signed(
  sender: Sender,
  now: number,
  body: Buffer,
  more: Record<string, string> = {},
): Outgoing {
  const timestamp = String(now);
  const headers = {
    "content-type": "application/json",
    "x-webhook-signature": sign(sender.secret, timestamp, body),
    "x-webhook-timestamp": timestamp,
    ...more,
  };
  return { method: "POST", path: inbound(sender), headers, body };
}

let reports = 0;
/** A unique report with `value` as a wage and `note` in an unknown field. Both are JSON. */
export const reportOf = (note: string, value: string) =>
  Buffer.from(
    `{"policy_number":"WC${reports++}","employees":[{"first_name":"Ann","gross_wages":${value}}],"note":${note}}`,
  );

/** Any text that is allowed in a header. */
export const headerText = fc
  .string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 80,
  })
  .map((text) => text.trim());
