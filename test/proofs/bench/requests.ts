/** The requests of one round: distinct bodies, signed, and serialised to the bytes that go over the wire. */
import { createHmac, randomBytes } from "node:crypto";

export interface Sender {
  id: string;
  secret: string;
}

/** What is wrong with a request, if anything. */
export type Flaw = "none" | "bad_signature" | "expired" | "unknown_connection";

/** The kind of request: a signed webhook report, or a developer's report with a bearer key. */
export type Sent = "webhook" | "payroll_report" | "employee_sync";

export interface Recipe {
  /** A webhook report by default. */
  sent?: Sent;
  /** The request line's path; the id of a webhook's sender is appended. */
  path: string;
  senders: Sender[];
  bodyBytes: number;
  count: number;
  flaw: Flaw;
  /** The client address that the gateway sees: one for all requests, or a different one per request. */
  addresses: "one" | "many";
}

/** The employer that every report names. */
export const EMPLOYER_FEIN = "98-7654321";
export const EMPLOYER_ID = "EMP_BENCH";
const EXPIRED_MS = 600_000;

interface Body {
  /** The field whose text makes each body unique. */
  numbered: string;
  rest: object;
  employee(index: number): object;
}

const BODIES: Record<Sent, Body> = {
  webhook: {
    numbered: "policy_number",
    rest: {
      employer_fein: EMPLOYER_FEIN,
      pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
    },
    employee: (index) => ({
      first_name: `First${index}`,
      last_name: "O'Brien-Müller",
      class_code: "8810",
      state: "CA",
      gross_wages: 5000.25 + index,
      hours_worked: 80,
    }),
  },
  payroll_report: {
    numbered: "reference",
    rest: {
      employer_id: EMPLOYER_ID,
      period_start: "2026-01-01",
      period_end: "2026-03-31",
      payroll_data: { total_payroll: 260_000, total_hours: 5_200, officer_payroll: 0 },
    },
    employee: (index) => ({
      employee_id: `EE_${index}`,
      name: "Jane O'Brien-Müller",
      classification_code: "8810",
      hours_worked: 520,
      gross_wages: 26_000.25 + index,
    }),
  },
  employee_sync: {
    numbered: "reference",
    rest: { employer_id: EMPLOYER_ID },
    employee: (index) => ({
      employee_id: `EE_${index}`,
      action: "hire",
      name: "Jane O'Brien-Müller",
      hire_date: "2026-02-01",
      classification_code: "8810",
      hourly_rate: 30 + index / 100,
    }),
  },
};

/** A body of about `bytes`, but for its number: two with different numbers differ. */
function bodiesOf(sent: Sent, bytes: number): (number: string) => Buffer {
  const { numbered, rest, employee } = BODIES[sent];
  const fields = JSON.stringify(rest).slice(1, -1);
  const employees: string[] = [];
  for (let length = fields.length + 60; employees.length === 0 || length + 150 < bytes; ) {
    const next = JSON.stringify(employee(employees.length));
    employees.push(next);
    length += Buffer.byteLength(next) + 1;
  }
  const tail = Buffer.from(`,${fields},"employees":[${employees.join(",")}]}`);
  return (number) => Buffer.concat([Buffer.from(`{"${numbered}":"WC${number}"`), tail]);
}

/** Every request of a round, ready to be written to a socket. */
export function prepare(recipe: Recipe, now: number): Buffer[] {
  const { sent = "webhook", senders, bodyBytes, count, addresses } = recipe;
  const run = randomBytes(6).toString("hex");
  const bodyOf = bodiesOf(sent, bodyBytes);
  const requests: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const sender = senders[i % senders.length];
    if (sender === undefined) throw new Error("a round needs a sender");
    const body = bodyOf(`${run}-${i}`);
    const { path, headers } =
      sent === "webhook" ? signed(recipe, sender, body, now) : underKey(recipe, sender);
    const address = addresses === "one" ? "192.0.2.1" : `198.51.${(i >> 8) & 255}.${i & 255}`;
    const head =
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}` +
      `CF-Connecting-IP: ${address}\r\nContent-Length: ${body.byteLength}\r\n\r\n`;
    requests.push(Buffer.concat([Buffer.from(head, "latin1"), body]));
  }
  return requests;
}

interface Target {
  path: string;
  headers: string;
}

function signed({ path, flaw }: Recipe, sender: Sender, body: Buffer, now: number): Target {
  const timestamp = String(flaw === "expired" ? now - EXPIRED_MS : now);
  const secret = flaw === "bad_signature" ? "wrong" : sender.secret;
  const signature = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
  const id = flaw === "unknown_connection" ? randomBytes(12).toString("hex") : sender.id;
  return {
    path: path + id,
    headers: `X-Webhook-Signature: ${signature}\r\nX-Webhook-Timestamp: ${timestamp}\r\n`,
  };
}

function underKey({ path }: Recipe, { secret }: Sender): Target {
  return { path, headers: `Authorization: Bearer ${secret}\r\n` };
}
