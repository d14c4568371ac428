/** Drives forwarding step by step: collects wake-ups, hands batches to the consumer, moves the clock. */
import {
  createMessageBatch,
  createScheduledController,
  evictDurableObject,
  runDurableObjectAlarm,
} from "cloudflare:test";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { Bindings } from "../../src/bindings.ts";
import { toHex } from "../../src/crypto/encoding.ts";
import { CIRCUIT_BREAKER_NAME } from "../../src/forwarding/circuit-breaker.ts";
import { parseFileId } from "../../src/gate/file-id.ts";
import worker from "../../src/index.ts";
import type { FileWakeUp } from "../../src/messages.ts";
import { gateName } from "../../src/model.ts";
import { bindings, type Json, post } from "./gateway.ts";

/** Runs the minute cron as scheduled for `at`. */
export async function runCron(at = Date.now(), using: Bindings = bindings): Promise<void> {
  const controller = createScheduledController({ cron: "* * * * *", scheduledTime: new Date(at) });
  await worker.scheduled(controller, using);
}

/**
 * Starts each test of a file with a closed circuit breaker and caught wake-ups, and restores the clock and every mock after it.
 * The returned list holds the wake-ups of the running test.
 */
export function wakeUpsOfEachTest(): FileWakeUp[] {
  const wakeUps: FileWakeUp[] = [];
  beforeEach(async () => {
    wakeUps.length = 0;
    catchWakeUps(wakeUps);
    await resetCircuitBreaker();
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
  return wakeUps;
}

/** From now on wake-ups are collected in the list instead of reaching the queue. */
export function catchWakeUps(caught: FileWakeUp[] = []): FileWakeUp[] {
  vi.spyOn(bindings.FILES, "send").mockImplementation(async (body) => {
    caught.push(body);
    return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  });
  vi.spyOn(bindings.FILES, "sendBatch").mockImplementation(async (messages) => {
    for (const { body } of messages) caught.push(body);
    return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  });
  return caught;
}

export interface Delivered {
  /** Positions of the messages, in the order they were given. */
  acked: number[];
  retried: { position: number; delaySeconds: number | undefined }[];
}

/** Hands one batch to the consumer of `queue`. Rejects when the consumer rejects. */
export async function deliver(
  bodies: readonly unknown[],
  using: Bindings = bindings,
  queue = "audit1-files",
): Promise<Delivered> {
  const batch = createMessageBatch<FileWakeUp>(
    queue,
    bodies.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts: 1, body: body as FileWakeUp })),
  );
  const delivered: Delivered = { acked: [], retried: [] };
  for (const [position, message] of batch.messages.entries()) {
    vi.spyOn(message, "ack").mockImplementation(() => void delivered.acked.push(position));
    vi.spyOn(message, "retry").mockImplementation(
      (options) => void delivered.retried.push({ position, delaySeconds: options?.delaySeconds }),
    );
  }
  await worker.queue(batch, using);
  return delivered;
}

/** Delivers one batch of one message that names these files. */
export function deliverFiles(fileIds: string[], using?: Bindings): Promise<Delivered> {
  return deliver([{ file_ids: fileIds }], using);
}

/** Sends a report and returns its file id. The test delivers the wake-up. */
export async function accepted(
  connection: { id: string; secret: string },
  body?: string | Uint8Array<ArrayBuffer>,
  options?: Parameters<typeof post>[2],
): Promise<string> {
  const answer = await post(connection, body, options);
  expect(answer.status).toBe(202);
  return answer.json.file_id;
}

export function gateOfFile(fileId: string) {
  const gate = parseFileId(fileId)?.gate;
  if (gate === undefined) throw new Error(`not a file id: ${fileId}`);
  return bindings.CONNECTION_GATE.getByName(gateName(gate));
}

export async function recordOf(fileId: string) {
  const record = await gateOfFile(fileId).status(fileId);
  if (record === null) throw new Error(`no such file: ${fileId}`);
  return record;
}

export function stuckFileOf(fileId: string): Promise<Json | null> {
  return bindings.DB.prepare("SELECT * FROM attention WHERE file_id = ?").bind(fileId).first<Json>();
}

/** Advances the clock of the Worker and of every object. Timers still run in real time. */
export function advance(ms: number): number {
  const now = Date.now() + ms;
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now);
  return now;
}

/** Runs the gate's alarm and delivers its wake-ups every eleven minutes, until the file is no longer queued. */
export async function bringToTheEnd(fileId: string, wakeUps: FileWakeUp[], using?: Bindings): Promise<void> {
  for (let round = 0; round < 20; round++) {
    if ((await recordOf(fileId)).status !== "queued") return;
    advance(11 * 60_000);
    wakeUps.length = 0;
    await runDurableObjectAlarm(gateOfFile(fileId));
    if (wakeUps.length > 0) await deliver(wakeUps.splice(0), using);
  }
  throw new Error(`${fileId} is still queued`);
}

/** Closes the circuit breaker again, by restarting its object. */
export async function resetCircuitBreaker(): Promise<void> {
  const breaker = bindings.FORWARDING_GOVERNOR.getByName(CIRCUIT_BREAKER_NAME);
  await breaker.permit(0);
  await evictDurableObject(breaker);
}

export interface Received {
  headers: Headers;
  fileId: string;
  key: string;
  sha256: string;
  size: number;
}
type Respond = (received: Received, request: Request) => Response | Promise<Response>;

export const ACCEPTED = () => Response.json({ records_total: 1 }, { status: 202 });

/** A files-creator inside the test. It records every POST and responds with `respond`. */
export function creatorThat(respond: Respond = ACCEPTED): { received: Received[]; using: Bindings } {
  const received: Received[] = [];
  const creator = {
    async fetch(request: Request): Promise<Response> {
      const bytes = await request.arrayBuffer();
      const file = {
        headers: request.headers,
        fileId: request.headers.get("X-Audit1-File-Id") ?? "",
        key: request.headers.get("Idempotency-Key") ?? "",
        sha256: await sha256(bytes),
        size: bytes.byteLength,
      };
      received.push(file);
      return respond(file, request);
    },
  };
  return { received, using: { ...bindings, FILES_CREATOR: creator as unknown as Fetcher } };
}

/** Responds with each status in turn, then with 202. */
export function answering(...statuses: (number | Response)[]): Respond {
  const steps = [...statuses];
  return () => {
    const step = steps.shift();
    if (step === undefined) return ACCEPTED();
    return step instanceof Response ? step : new Response(null, { status: step });
  };
}

export async function sha256(bytes: BufferSource): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
