/** The requests of one round: distinct bodies, signed, and serialised to the bytes that go over the wire. */
import { createHmac, randomBytes } from "node:crypto";

export interface Sender {
  id: string;
  secret: string;
}

/** What is wrong with a request, if anything. */
export type Flaw = "none" | "bad_signature" | "expired" | "unknown_connection";

export interface Recipe {
  /** The request line's path; the sender's id is appended. */
  path: string;
  senders: Sender[];
  bodyBytes: number;
  count: number;
  flaw: Flaw;
  /** Whose address the gateway sees: one for all, or a different one for each request. */
  addresses: "one" | "many";
}

/** The FEIN of the employer that every report names. */
export const EMPLOYER_FEIN = "98-7654321";
const EXPIRED_MS = 600_000;

/** A report of about `bytes` in the webhook dialect, but for its policy number: two with different numbers differ. */
function reportsOf(bytes: number): (number: string) => Buffer {
  const rest = JSON.stringify({
    employer_fein: EMPLOYER_FEIN,
    pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
  }).slice(1, -1);
  const employees: string[] = [];
  for (let length = rest.length + 60; employees.length === 0 || length + 150 < bytes; ) {
    const employee = JSON.stringify({
      first_name: `First${employees.length}`,
      last_name: "O'Brien-Müller",
      class_code: "8810",
      state: "CA",
      gross_wages: 5000.25 + employees.length,
      hours_worked: 80,
    });
    employees.push(employee);
    length += Buffer.byteLength(employee) + 1;
  }
  const tail = Buffer.from(`,${rest},"employees":[${employees.join(",")}]}`);
  return (number) => Buffer.concat([Buffer.from(`{"policy_number":"WC${number}"`), tail]);
}

/** Every request of a round, ready to be written to a socket. */
export function prepare(recipe: Recipe, now: number): Buffer[] {
  const { path, senders, bodyBytes, count, flaw, addresses } = recipe;
  const run = randomBytes(6).toString("hex");
  const reportOf = reportsOf(bodyBytes);
  const requests: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const sender = senders[i % senders.length];
    if (sender === undefined) throw new Error("a round needs a sender");
    const body = reportOf(`${run}-${i}`);
    const timestamp = String(flaw === "expired" ? now - EXPIRED_MS : now);
    const secret = flaw === "bad_signature" ? "wrong" : sender.secret;
    const signature = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
    const id = flaw === "unknown_connection" ? randomBytes(12).toString("hex") : sender.id;
    const address = addresses === "one" ? "192.0.2.1" : `198.51.${(i >> 8) & 255}.${i & 255}`;
    const head =
      `POST ${path}${id} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `X-Webhook-Signature: ${signature}\r\nX-Webhook-Timestamp: ${timestamp}\r\n` +
      `CF-Connecting-IP: ${address}\r\nContent-Length: ${body.byteLength}\r\n\r\n`;
    requests.push(Buffer.concat([Buffer.from(head, "latin1"), body]));
  }
  return requests;
}
