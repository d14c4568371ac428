/** The requests that payroll systems send in the demonstration: reports of believable companies, and the usual mistakes. */

import { createHmac } from "node:crypto";
import { sign } from "./sign-inbound.ts";

/** A connection, and where its gateway is. */
export interface Sender {
  url: string;
  id: string;
  secret: string;
}

const FIRST_NAMES = ["José", "Maria", "John", "Aisha", "Wei", "Olga", "Noah", "Zoë"];
const LAST_NAMES = ["Doe", "Nguyễn", "García", "Smith", "O’Neill", "Müller", "Haddad", "Kim"];
const CLASSES = [
  { class_code: "8810", hourly: 31.5 },
  { class_code: "5403", hourly: 38.25 },
  { class_code: "7219", hourly: 27.4 },
  { class_code: "9079", hourly: 18.1 },
];
const STATES = ["CA", "TX", "NY", "FL"];

function pick<T>(list: readonly T[], n: number): T {
  const found = list[n % list.length];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
}

/** The `n`-th report of an employer: no two are equal. */
export function report(n: number, { fein, flaw }: { fein: string; flaw?: "wages" | "names_only" }): string {
  const employees = Array.from({ length: 1 + (n % 7) }, (_, i) => {
    const { class_code, hourly } = pick(CLASSES, n + i);
    const hours_worked = 64 + ((n * 7 + i * 3) % 25);
    return {
      employee_id: `E${1_000 + ((n * 31 + i) % 9_000)}`,
      first_name: pick(FIRST_NAMES, n + i),
      last_name: pick(LAST_NAMES, n * 3 + i),
      class_code,
      state: pick(STATES, n),
      gross_wages: flaw === "wages" ? "about 5000" : Math.round(hourly * hours_worked * 100) / 100,
      hours_worked,
    };
  });
  return JSON.stringify({
    employer_fein: fein,
    policy_number: `WC${1_025_561 + (n % 40)}`,
    report_number: `${Date.now().toString(36)}-${n}`,
    // The files-creator cannot read such entries, so the file fails.
    employees: flaw === "names_only" ? employees.map(({ last_name }) => last_name) : employees,
    pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
  });
}

/** Headers of a request whose signature was made from `signed` with `secret`. */
function headers(timestamp: string, signature: string, agent: string): Record<string, string> {
  return {
    "content-type": "application/json",
    "x-webhook-timestamp": timestamp,
    "x-webhook-signature": signature,
    "user-agent": agent,
  };
}

function hmac(secret: string, text: string, encoding: "hex" | "base64" = "hex"): string {
  return createHmac("sha256", secret).update(text).digest(encoding);
}

const MINUTE_MS = 60_000;

/** The mistakes. Each makes the headers of a request that is refused. */
export const MISTAKES = {
  body_alone: (body, { secret }) => headers(String(Date.now()), hmac(secret, body), "payroll-sync/2.1"),
  seconds: (body, { secret }) => {
    const timestamp = String(Math.floor(Date.now() / 1_000));
    return headers(timestamp, hmac(secret, `${timestamp}.${body}`), "python-requests/2.32");
  },
  prefixed: (body, { secret }) => {
    const timestamp = String(Date.now());
    return headers(timestamp, `sha256=${hmac(secret, `${timestamp}.${body}`)}`, "okhttp/4.12");
  },
  base64: (body, { secret }) => {
    const timestamp = String(Date.now());
    return headers(timestamp, hmac(secret, `${timestamp}.${body}`, "base64"), "GuzzleHttp/7");
  },
  clock_behind: (body, { secret }) => {
    const timestamp = String(Date.now() - 7 * MINUTE_MS);
    return headers(timestamp, hmac(secret, `${timestamp}.${body}`), "Java-http-client/21");
  },
  wrong_secret: (body) => {
    const timestamp = String(Date.now());
    return headers(timestamp, hmac("not the secret", `${timestamp}.${body}`), "Go-http-client/2.0");
  },
} satisfies Record<string, (body: string, sender: Sender) => Record<string, string>>;

export type Mistake = keyof typeof MISTAKES;

export async function send(
  { url, id }: Pick<Sender, "url" | "id">,
  body: string,
  requestHeaders: Record<string, string>,
): Promise<number> {
  const response = await fetch(`${url}/api/v1/webhook/inbound/${id}`, {
    method: "POST",
    headers: requestHeaders,
    body,
    signal: AbortSignal.timeout(30_000),
  });
  await response.body?.cancel();
  return response.status;
}

export function signedProperly(body: string, { secret }: Sender): Record<string, string> {
  const timestamp = String(Date.now());
  return headers(timestamp, sign(secret, timestamp, Buffer.from(body)), "payroll-sync/2.1");
}
