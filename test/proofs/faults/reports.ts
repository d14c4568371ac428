/** Reports as payroll systems send them, and requests that must be rejected. */
import { createHash } from "node:crypto";
import { signedHeaders } from "../../../dev/sign-inbound.ts";
import type { Chance } from "./chance.ts";
import type { Owner } from "./endpoints.ts";

export interface Connection {
  id: string;
  owner: Owner;
  secret: string;
  plan: "sandbox" | "production" | "enterprise";
  deduplicates: boolean;
  /** Bound to one employer, whatever unknown employer a body names. */
  bound: boolean;
}

/** One signed request. A repeat sends it unchanged. */
export interface SignedRequest {
  requestId: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

export const EMPLOYER = { id: "faults-employer", fein: "12-3456789" };

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A unique report of about `size` bytes. */
export function reportBody(name: string, size: number): Buffer {
  const employees: unknown[] = [];
  for (let bytes = 200; bytes < size || employees.length === 0; bytes += 130) {
    const n = employees.length;
    employees.push({
      first_name: `First${n}`,
      last_name: `Last${n}`,
      class_code: "8810",
      state: "CA",
      gross_wages: 1000 + n,
      hours_worked: 40,
    });
  }
  const period = { start_date: "2026-03-16", end_date: "2026-03-31" };
  return Buffer.from(
    JSON.stringify({
      report: name,
      employer_fein: EMPLOYER.fein,
      policy_number: "WC1025561",
      employees,
      pay_period: period,
    }),
  );
}

export function signed(
  connection: Connection,
  requestId: string,
  timestampMs: number,
  body: Buffer,
  extra: Record<string, string> = {},
): SignedRequest {
  return {
    requestId,
    path: `/api/v1/webhook/inbound/${connection.id}`,
    headers: { ...signedHeaders(connection.secret, timestampMs, body), "x-request-id": requestId, ...extra },
    body,
  };
}

const EXPIRED_BY_MS = 1_200_000;
const WRONG = {
  signature: 3,
  timestamp: 2,
  json: 2,
  employees: 2,
  employer: 2,
  doubled: 2,
  connection: 1,
  encoding: 1,
};

/** A request that must always be rejected. */
export function refusable(
  connection: Connection,
  requestId: string,
  timestampMs: number,
  chance: Chance,
): { wrong: string; request: SignedRequest } {
  const wrong = chance.pick({ ...WRONG, ...(connection.bound && { employer: 0 }) });
  const good = reportBody(requestId, 600);
  const sign = (body: Buffer, at = timestampMs) => signed(connection, requestId, at, body);
  switch (wrong) {
    case "signature":
      return { wrong, request: { ...sign(good), body: Buffer.concat([good, Buffer.from(" ")]) } };
    case "timestamp":
      return { wrong, request: sign(good, timestampMs - EXPIRED_BY_MS) };
    case "json":
      return { wrong, request: sign(good.subarray(0, -1)) };
    case "employees":
      return { wrong, request: sign(Buffer.from(`{"report":"${requestId}","employees":[]}`)) };
    case "employer":
      return { wrong, request: sign(Buffer.from(good.toString().replace(EMPLOYER.fein, "98-7654321"))) };
    case "doubled": {
      // The last of the two values, which a JSON parser keeps, is valid.
      const padding = " ".repeat(chance.pick({ small: 3, large: 1 }) === "large" ? 1_100_000 : 0);
      const doubled = good.toString().replace("{", `{"employer_fein":"98-7654321",${padding}`);
      return { wrong, request: sign(Buffer.from(doubled)) };
    }
    case "connection":
      return { wrong, request: { ...sign(good), path: `/api/v1/webhook/inbound/${"f".repeat(24)}` } };
    case "encoding":
      return {
        wrong,
        request: signed(connection, requestId, timestampMs, good, { "content-encoding": "gzip" }),
      };
  }
}
