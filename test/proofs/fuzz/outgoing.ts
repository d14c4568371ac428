/** A request to be sent, and what is right for it. */
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
  /** Statuses that are right. */
  statuses: readonly number[];
  /** Made when it is sent, because it is signed with the time. */
  make(sender: Sender, now: number): Outgoing;
  /** Sent this often, one after the other: the answers must name one file. */
  times: number;
  /** Refused before its body was sent: the connection may be closed under the sender before it has read the answer. */
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
/** A report different from every other, with `value` for a wage and `note` for a field that nobody knows: both JSON. */
export const reportOf = (note: string, value: string) =>
  Buffer.from(
    `{"policy_number":"WC${reports++}","employees":[{"first_name":"Ann","gross_wages":${value}}],"note":${note}}`,
  );

/** Anything that may stand in a header. */
export const headerText = fc
  .string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 80,
  })
  .map((text) => text.trim());
