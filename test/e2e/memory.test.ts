/**
 * What reports of ten MiB hold of an isolate's 128 MB, in a real runtime. Measured is the gateway's own isolate, with its
 * garbage: the process has others beside it, the stand-ins of D1, queues and R2 among them.
 */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { signedHeaders } from "../../dev/sign-inbound.ts";
import { type Gateway, type Sender, startGateway } from "../proofs/fuzz/gateway.ts";
import { IsolateMemory, type Peak } from "./isolate-memory.ts";
import { emptyObjects, realReport } from "./large-reports.ts";

const ISOLATE_MIB = 122; // 128 MB
let gateway: Gateway;
let connection: Sender;
let memory: IsolateMemory;

beforeAll(async () => {
  gateway = await startGateway({ inspected: true });
  const [made] = await gateway.connections(1);
  if (made === undefined || gateway.inspector === null) throw new Error("the gateway is not set up");
  connection = made;
  memory = await IsolateMemory.open(gateway.inspector);
  // The first large report pays for what the runtime sets up.
  expect(await post(realReport(0))).toBe(202);
});

afterAll(async () => {
  memory?.close();
  await gateway?.stop();
});

async function post(body: Buffer): Promise<number> {
  const response = await fetch(url(), {
    method: "POST",
    headers: signedHeaders(connection.secret, Date.now(), body),
    body: new Uint8Array(body),
  });
  await response.arrayBuffer();
  return response.status;
}

function url(): string {
  return `http://127.0.0.1:${gateway.port}/api/v1/webhook/inbound/${connection.id}`;
}

/** The most memory that `work` holds. It is printed to show how much room is left. */
async function peakOf(work: () => Promise<void>): Promise<Peak> {
  const before = residentMiB();
  const peak = await memory.peakOf(work);
  process.stdout.write(
    `  isolate: heap ${peak.heapMiB.toFixed(0)} MiB, buffers ${peak.buffersMiB.toFixed(0)} MiB, ` +
      `together ${peak.totalMiB.toFixed(0)} MiB; process: ${before.toFixed(0)} to ${residentMiB().toFixed(0)} MiB\n`,
  );
  return peak;
}

/** Of the whole runtime. */
function residentMiB(): number {
  const status = readFileSync(`/proc/${gateway.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

it.each([
  { what: "employees", reportOf: realReport },
  { what: "empty objects", reportOf: emptyObjects },
])("ten MiB of $what, one report after the other, fit with room", async ({ reportOf }) => {
  const peak = await peakOf(async () => {
    for (const number of [1, 2, 3, 4]) expect(await post(reportOf(number))).toBe(202);
  });
  // As received and in one piece, or in one piece and sealed; then sealed and opened again.
  expect(peak.buffersMiB).toBeLessThan(32);
  expect(peak.totalMiB).toBeLessThan(ISOLATE_MIB / 2);
});

it("twenty at once are all accepted, and fit", async () => {
  const reports = Array.from({ length: 20 }, (_, i) => realReport(100 + i));
  let statuses: number[] = [];
  const peak = await peakOf(async () => {
    statuses = await Promise.all(reports.map(post));
  });
  expect(statuses).toEqual(reports.map(() => 202));
  expect(peak.totalMiB).toBeLessThan(0.75 * ISOLATE_MIB);
});

it("slow senders that hold large bodies are cut off while others wait, and small reports never wait", async () => {
  const stalled = Array.from({ length: 4 }, (_, i) => stall(realReport(200 + i)));
  const answered = Promise.all(stalled.map(({ answer }) => answer));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const small = Date.now();
  expect(await post(Buffer.from('{"employees":[{}]}'))).toBe(202);
  expect(Date.now() - small).toBeLessThan(1_000);
  const large = Date.now();
  expect(await post(realReport(300))).toBe(202);
  expect(Date.now() - large).toBeLessThan(15_000);
  for (const { socket } of stalled) socket.destroy();
  expect((await answered).some((answer) => answer.startsWith("HTTP/1.1 503"))).toBe(true);
});

it.each([
  { what: "empty objects", status: 400, body: `{"events":[${"{},".repeat(2_796_000)}{}]}` },
  { what: "data of a hundred events", status: 202, body: JSON.stringify({ events: largestEvents() }) },
])("eight MiB of $what fit with room", async ({ body, status }) => {
  const headers = {
    "X-Client-ID": gateway.client.id,
    "X-Client-Secret": gateway.client.secret,
    "Content-Type": "application/json",
  };
  const peak = await peakOf(async () => {
    const url = `http://127.0.0.1:${gateway.port}/api/v1/events`;
    const response = await fetch(url, { method: "POST", headers, body });
    expect([response.status, (await response.text()).slice(0, 300)]).toEqual([status, expect.anything()]);
  });
  expect(peak.totalMiB).toBeLessThan(0.75 * ISOLATE_MIB);
});

/** Nearly as many values and bytes as are taken, every object of another shape. */
function largestEvents(): unknown[] {
  return Array.from({ length: 100 }, (_, number) => ({
    id: `evt_${number}`,
    type: "policy.created",
    owner_type: "payroll_company",
    owner_id: "memory",
    environment: "production",
    data: { of: Array.from({ length: 980 }, (_, i) => ({ [`name ${number} ${i}`]: "€".repeat(18) })) },
  }));
}

/** Sends all of a signed report but its last half MiB. Answers with what the gateway says, if anything. */
function stall(report: Buffer): { socket: Socket; answer: Promise<string> } {
  const headers = {
    ...signedHeaders(connection.secret, Date.now(), report),
    "content-length": report.length,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(gateway.port, "127.0.0.1");
  socket.on("error", () => undefined);
  let text = "";
  const answer = new Promise<string>((resolve) => {
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("close", () => resolve(text));
  });
  socket.write(`POST ${new URL(url()).pathname} HTTP/1.1\r\nhost: localhost\r\n${lines.join("")}\r\n`);
  socket.write(report.subarray(0, report.length - 512 * 1024));
  return { socket, answer };
}
