/**
 * Every usual slip of a signature and of its timestamp, made by a real client as people make it: within three seconds the
 * connection's requests show what it was.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { DIAGNOSES } from "../../src/evidence/request-entry.ts";
import { type Gateway, type Sender, startGateway } from "../proofs/fuzz/gateway.ts";
import { programOf, SLIPPING_CLIENTS, type SlippingClient } from "./slipping-clients.ts";

const REPORT = {
  policy_number: "WC1",
  employees: [{ first_name: "José", last_name: "Doe", class_code: "8810", state: "CA", gross_wages: 5000.5 }],
  pay_period: { start_date: "2026-03-01", end_date: "2026-03-15" },
};
const SHOWN_WITHIN_MS = 3_000;
/** An isolate diagnoses five signatures a second at most. */
const PACE_MS = 250;

/** Runs where it is installed. Every slip is made by another client too, and those always run. */
const hasPython = spawnSync("python3", ["--version"]).status === 0;
const clients = SLIPPING_CLIENTS.filter(({ language }) => language !== "python3" || hasPython);

const folder = mkdtempSync(path.join(tmpdir(), "slips-"));
const file = path.join(folder, "report.json");
let gateway: Gateway;
let connections: Sender[] = [];
/** The newest connection of their owner. */
let other: Sender;

beforeAll(async () => {
  writeFileSync(file, `${JSON.stringify(REPORT, null, 2)}\n`);
  gateway = await startGateway();
  connections = await gateway.connections(clients.length);
  const [newest] = await gateway.connections(1);
  if (newest === undefined) throw new Error("the gateway is not set up");
  other = newest;
});

afterAll(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it("every slip is made by a client that is always there", () => {
  const made = SLIPPING_CLIENTS.filter(({ language }) => language !== "python3");
  const alone = made.flatMap(({ diagnosis }) => (diagnosis.length === 1 ? diagnosis : []));
  expect([...new Set(alone)].sort()).toEqual([...DIAGNOSES].sort());
});

it.each(clients.map((client, i) => ({ ...client, i })))(
  "$language: a client that $what: $diagnosis",
  async ({ i, ...client }) => {
    const connection = connections[i];
    if (connection === undefined) throw new Error("there are too few connections");
    await setTimeout(PACE_MS);
    const secret = client.diagnosis.includes("ended_secret") ? await rotated(connection) : connection.secret;
    const status = await run(client, { id: connection.id, secret }, connection.secret);
    expect(status).toBe("401");
    await vi.waitFor(
      async () => {
        expect(await requestsOf(connection)).toMatchObject([
          { outcome: "refused", status: 401, diagnosis: client.diagnosis },
        ]);
      },
      { timeout: SHOWN_WITHIN_MS, interval: 50 },
    );
  },
);

async function requestsOf({ id }: Sender): Promise<unknown> {
  const { requests } = (await gateway.portal("GET", `/connections/${id}/requests`)) as { requests: unknown };
  return requests;
}

/** Ends the connection's secret at once. Returns the new one. */
async function rotated({ id }: Sender): Promise<string> {
  const answer = (await gateway.portal("POST", `/connections/${id}/rotate-secret`, {
    overlap_seconds: 0,
  })) as { secret: string };
  return answer.secret;
}

/** Runs the client. Returns the status that it was answered. */
async function run(client: SlippingClient, { id, secret }: Sender, endedSecret: string): Promise<string> {
  const program = programOf(client);
  const env = {
    ...process.env,
    URL: `http://127.0.0.1:${gateway.port}/api/v1/webhook/inbound/${id}`,
    SECRET: secret,
    ENDED_SECRET: endedSecret,
    OTHER_SECRET: other.secret,
    BODY: JSON.stringify(REPORT),
    FILE: file,
  };
  const { stdout } = await promisify(execFile)(program.file, program.args, { env });
  return stdout.trim();
}
