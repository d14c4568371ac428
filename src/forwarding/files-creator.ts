/** The client of the files-creator: one POST per attempt. */
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { limitsOf } from "../bounded.ts";
import type { Bytes } from "../crypto/encoding.ts";
import { DeadlineExceeded, withDeadline } from "../deadline.ts";
import type { Settings } from "../env.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { Claimed } from "../gate/protocol.ts";
import { retryAfterMs } from "../http/retry-after.ts";

/** Enough for any error text. The rest of a response is not read. */
const MAX_RESPONSE_BYTES = 16 * 1024;
/** The files-creator has looked at the report and will never accept it. Any other failure may be temporary. */
const REFUSAL_STATUSES: ReadonlySet<number> = new Set([400, 413, 415, 422]);

export type PostResult =
  | { kind: "accepted"; responseStatus: number; recordsTotal: number | null }
  | { kind: "refused"; responseStatus: number; text: string }
  | { kind: "unavailable"; responseStatus: number | null; retryAfterMs: number | null; text: string };

const acceptedBody = z.object({ records_total: z.number().int().nonnegative().optional() });

/** Never rejects: without a response the result is `unavailable`. */
export async function postFile(
  file: Claimed,
  payload: Bytes,
  env: Bindings,
  settings: Settings,
  timeoutMs = limitsOf(env).filesCreatorMs,
): Promise<PostResult> {
  const abort = new AbortController();
  const request = new Request(settings.filesCreator.url, {
    method: "POST",
    headers: fileHeaders(file, settings.filesCreator.token),
    body: payload,
    redirect: "manual",
    signal: abort.signal,
  });
  try {
    return await withDeadline("FILES_CREATOR.fetch", timeoutMs, async () => {
      const response = await (env.FILES_CREATOR === undefined
        ? fetch(request)
        : env.FILES_CREATOR.fetch(request));
      return classifyResponse(response.status, response.headers, await readStart(response), Date.now());
    });
  } catch (error) {
    const timedOut = error instanceof DeadlineExceeded;
    if (timedOut) abort.abort();
    const text = timedOut ? "no answer in time" : "no answer";
    return { kind: "unavailable", responseStatus: null, retryAfterMs: null, text };
  }
}

export function classifyResponse(status: number, headers: Headers, text: string, now: number): PostResult {
  if (status >= 200 && status < 300)
    return { kind: "accepted", responseStatus: status, recordsTotal: recordsTotal(text) };
  if (REFUSAL_STATUSES.has(status)) return { kind: "refused", responseStatus: status, text };
  return { kind: "unavailable", responseStatus: status, retryAfterMs: retryAfterMs(headers, now), text };
}

/** Each generation has a key of its own, or the files-creator would ignore it as a repeat of the previous one. */
export function idempotencyKeyOf(fileId: string, generation: number): string {
  return generation === 1 ? fileId : `${fileId}.${generation}`;
}

function fileHeaders({ fileId, facts, attempt, generation }: Claimed, token: string | null): Headers {
  const gate = parseFileId(fileId)?.gate;
  const headers = new Headers({
    // Verified when the report was admitted. The sender's own label may contradict it, and must not mislead the files-creator.
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
    return acceptedBody.parse(JSON.parse(text)).records_total ?? null;
  } catch {
    // The status alone says that the file was accepted. The body is optional.
    return null;
  }
}

async function readStart(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of response.body) {
    text += decoder.decode(chunk.subarray(0, MAX_RESPONSE_BYTES - length), { stream: true });
    length += chunk.byteLength;
    if (length >= MAX_RESPONSE_BYTES) break;
  }
  return text;
}
