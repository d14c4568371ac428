/** Reports under every label, handed to a files-creator that reads them with a plain `express.json()`. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { signedHeaders } from "../../dev/sign-inbound.ts";
import { type Gateway, type Sender, startGateway } from "../proofs/fuzz/gateway.ts";

let server: Server;
let gateway: Gateway;
let connection: Sender;
/** What the handler found in `request.body`, by file id. */
const parsed = new Map<string, unknown>();

beforeAll(async () => {
  const app = express();
  // The parser's own limit is 100 kB. A files-creator has to raise it to what the gateway accepts.
  app.use(express.json({ limit: "10mb" }));
  app.post("/files", (request, response) => {
    if (request.body === undefined) return response.status(400).json({ error: "no body" });
    parsed.set(String(request.headers["x-audit1-file-id"]), request.body);
    return response.status(202).json({ records_total: 1 });
  });
  server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  gateway = await startGateway({ filesCreatorPort: (server.address() as AddressInfo).port });
  const [made] = await gateway.connections(1);
  if (made === undefined) throw new Error("the gateway is not set up");
  connection = made;
});

afterAll(async () => {
  await gateway?.stop();
  server?.close();
});

let reports = 0;

function report(bytes: number): { number: number; body: Buffer } {
  const number = ++reports;
  const employee = {
    employee_id: "1",
    name: "Zoë",
    classification_code: "8810",
    hours_worked: 1,
    gross_wages: 1,
  };
  const fields = { employer_id: "EMP_FUZZ", period_start: "2026-03-01", period_end: "2026-03-15", number };
  const report = {
    ...fields,
    employees: [employee],
    payroll_data: { total_payroll: 1 },
    note: "x".repeat(bytes),
  };
  return { number, body: Buffer.from(JSON.stringify(report)) };
}

async function statusOf(fileId: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}/api/v1/files/status/${fileId}`, {
    headers: { authorization: `Bearer ${gateway.apiKey}` },
  });
  return ((await response.json()) as { status: string }).status;
}

const LABELS: [string, string | null][] = [
  ["curl's default type", "application/x-www-form-urlencoded"],
  ["a charset that is written wrongly", "application/json; charset=utf8"],
  ["no type", null],
  ["a charset that contradicts the bytes", "application/json; charset=iso-8859-1"],
  ["another type and charset", 'text/plain; charset="utf-16"'],
  ["a type that is none", "json"],
];

describe.each([
  ["signed", "/webhook/inbound"],
  ["bearer", "/payroll/reports"],
])("a %s report", (intake, path) => {
  it.each(
    LABELS.flatMap(([what, type]) => [600, 70_000, 1_200_000].map((bytes) => [what, bytes, type] as const)),
  )("with %s, of %i bytes, is accepted and read", async (_what, bytes, type) => {
    const { number, body } = report(bytes);
    const credentials: Record<string, string> =
      intake === "signed"
        ? signedHeaders(connection.secret, Date.now(), body)
        : { authorization: `Bearer ${gateway.apiKey}` };
    const headers = new Headers(credentials);
    headers.delete("Content-Type");
    if (type !== null) headers.set("Content-Type", type);
    const target = intake === "signed" ? `${path}/${connection.id}` : path;
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/api/v1${target}`, {
      method: "POST",
      headers,
      body: new Uint8Array(body),
    });
    const { file_id: fileId } = (await answer.json()) as { file_id: string };
    expect(answer.status).toBe(202);
    await vi.waitFor(async () => expect(await statusOf(fileId)).toBe("processing"), {
      timeout: 20_000,
      interval: 50,
    });
    expect(parsed.get(fileId)).toMatchObject({ number, employees: [{ name: "Zoë" }] });
  });
});
