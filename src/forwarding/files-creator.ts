/** The files-creator's client: one POST per attempt, its answer read as far as it matters. */
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { limitsOf } from "../bounded.ts";
import type { Bytes } from "../crypto/encoding.ts";
import { DeadlineExceeded, withDeadline } from "../deadline.ts";
import type { Settings } from "../env.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { Claimed } from "../gate/protocol.ts";
import { retryAfterMs } from "../http/retry-after.ts";

/** Enough for any error text; the rest of an answer is not read. */
const ANSWER_BYTES = 16 * 1024;
/** The files-creator looked at the report and will never take it. Everything else may pass. */
const REFUSALS: ReadonlySet<number> = new Set([400, 413, 415, 422]);

export type Answer =
  | { kind: "taken"; recordsTotal: number | null }
  | { kind: "refused"; responseStatus: number; text: string }
  | { kind: "unavailable"; responseStatus: number | null; retryAfterMs: number | null; text: string };

const takenBody = z.object({ records_total: z.number().int().nonnegative().optional() });

/** Never rejects: no answer is an answer of kind `unavailable`. */
export async function postFile(
  file: Claimed,
  payload: Bytes,
  env: Bindings,
  settings: Settings,
  timeoutMs = limitsOf(env).filesCreatorMs,
): Promise<Answer> {
  const late = new AbortController();
  const request = new Request(settings.filesCreator.url, {
    method: "POST",
    headers: fileHeaders(file, settings.filesCreator.token),
    body: payload,
    redirect: "manual",
    signal: late.signal,
  });
  try {
    return await withDeadline("FILES_CREATOR.fetch", timeoutMs, async () => {
      const response = await (env.FILES_CREATOR === undefined
        ? fetch(request)
        : env.FILES_CREATOR.fetch(request));
      return readAnswer(response.status, response.headers, await readStart(response), Date.now());
    });
  } catch (error) {
    const timedOut = error instanceof DeadlineExceeded;
    if (timedOut) late.abort();
    const text = timedOut ? "no answer in time" : "no answer";
    return { kind: "unavailable", responseStatus: null, retryAfterMs: null, text };
  }
}

/** What an answer means. Pure. */
export function readAnswer(status: number, headers: Headers, text: string, now: number): Answer {
  if (status >= 200 && status < 300) return { kind: "taken", recordsTotal: recordsTotal(text) };
  if (REFUSALS.has(status)) return { kind: "refused", responseStatus: status, text };
  return { kind: "unavailable", responseStatus: status, retryAfterMs: retryAfterMs(headers, now), text };
}

/** A new generation must not be dropped as a repeat of the one before: it has a key of its own. */
export function idempotencyKeyOf(fileId: string, generation: number): string {
  return generation === 1 ? fileId : `${fileId}.${generation}`;
}

function fileHeaders({ fileId, facts, attempt, generation }: Claimed, token: string | null): Headers {
  const gate = parseFileId(fileId)?.gate;
  const headers = new Headers({
    // Proved when the report was accepted. The sender's label may contradict it, and a reader that believes labels refuses.
    "Content-Type": "application/json",
    "Idempotency-Key": idempotencyKeyOf(fileId, generation),
    "X-Audit1-File-Id": fileId,
    "X-Audit1-Kind": facts.kind,
    "X-Audit1-Employer-Id": facts.employerId,
    "X-Audit1-Environment": facts.environment,
    "X-Audit1-Received-At": new Date(facts.receivedAt).toISOString(),
    "X-Audit1-Request-Id": facts.requestId,
    "X-Audit1-Attempt": String(attempt),
  });
  if (gate !== undefined)
    headers.set(gate.kind === "key" ? "X-Audit1-Api-Key-Id" : "X-Audit1-Connection-Id", gate.id);
  if (facts.contentType !== undefined) headers.set("X-Audit1-Content-Type", facts.contentType);
  if (facts.sameBodyAs !== undefined) headers.set("X-Audit1-Same-Body-As", facts.sameBodyAs);
  if (token !== null) headers.set("Authorization", `Bearer ${token}`);
  return headers;
}

function recordsTotal(text: string): number | null {
  try {
    return takenBody.parse(JSON.parse(text)).records_total ?? null;
  } catch {
    // The status says it is taken; a body is optional.
    return null;
  }
}

async function readStart(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of response.body) {
    text += decoder.decode(chunk.subarray(0, ANSWER_BYTES - length), { stream: true });
    length += chunk.byteLength;
    if (length >= ANSWER_BYTES) break;
  }
  return text;
}
