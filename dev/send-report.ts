/** Sends one signed report, and retries the very same request if asked to and if that can help. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome, SentReport } from "./send-summary.ts";
import { signedHeaders } from "./sign-inbound.ts";

export interface SignedReport {
  url: string;
  headers: Record<string, string>;
  body: Uint8Array<ArrayBuffer>;
}

/** An answer exactly as it was received. */
export interface Answer {
  status: number;
  text: string;
}

export type SentWithAnswer = SentReport & { answer: Answer | null };

/** A signature verifies for five minutes; a later retry is pointless. */
const RETRY_LIMIT_MS = 270_000;
/** Longer than the longest `Prefer: wait` plus the time that the gateway itself may take. */
const ANSWER_LIMIT_MS = 60_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

export function signReport(
  target: { url: string; connection: string; secret: string },
  body: Uint8Array<ArrayBuffer>,
  timestampMs: number,
  options: { wait: number | null; idempotencyKey: string | null },
): SignedReport {
  return {
    url: `${target.url}/api/v1/webhook/inbound/${encodeURIComponent(target.connection)}`,
    headers: {
      ...signedHeaders(target.secret, timestampMs, body),
      ...(options.wait !== null && { prefer: `wait=${options.wait}` }),
      ...(options.idempotencyKey !== null && { "idempotency-key": options.idempotencyKey }),
    },
    body,
  };
}

export async function sendReport(report: SignedReport, retry: boolean): Promise<SentWithAnswer> {
  const firstTry = Date.now();
  for (let tries = 1; ; tries += 1) {
    const start = performance.now();
    const { outcome, answer, retryAfterMs } = await post(report);
    const sent = { outcome, answer, latencyMs: performance.now() - start, tries };
    if (!retry || !worthRetrying(outcome, answer)) return sent;
    const waitMs = retryAfterMs ?? backoffMs(tries);
    if (Date.now() + waitMs - firstTry > RETRY_LIMIT_MS) return sent;
    await sleep(waitMs);
  }
}

function worthRetrying(outcome: Outcome, answer: Answer | null): boolean {
  return outcome.kind === "no answer" || answer?.status === 429 || answer?.status === 503;
}

/** Doubles from 250 ms to 10 s, with half of it at random, so that senders spread out. */
function backoffMs(tries: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
}

async function post(
  report: SignedReport,
): Promise<{ outcome: Outcome; answer: Answer | null; retryAfterMs: number | null }> {
  try {
    const response = await fetch(report.url, {
      method: "POST",
      headers: report.headers,
      body: report.body,
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const text = await response.text();
    return {
      outcome: outcomeOf(response.status, text),
      answer: { status: response.status, text },
      retryAfterMs: retryAfterMs(response.headers.get("retry-after"), Date.now()),
    };
  } catch (error) {
    return { outcome: { kind: "no answer", reason: networkReason(error) }, answer: null, retryAfterMs: null };
  }
}

/** The outcome of a report, given the response. */
export function outcomeOf(status: number, text: string): Outcome {
  const body = parseFields(text);
  if (status === 200 || status === 202) return { kind: body.duplicate === true ? "duplicate" : "accepted" };
  if (status === 429) return { kind: "limited" };
  return {
    kind: "refused",
    reason: typeof body.error === "string" ? `${status} ${body.error}` : String(status),
  };
}

/** `Retry-After` in either of its forms, as milliseconds from `now`; null if there is none, or none that can be read. */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null || header.trim() === "") return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(seconds, 0) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(date - now, 0);
}

function parseFields(text: string): { error?: unknown; duplicate?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  return error.name === "TimeoutError" ? "timed out" : error.message;
}
