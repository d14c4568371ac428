/** Leaves evidence of a request at an intake for reports, after its response: see `src/evidence`. */
import { callerFacts } from "../evidence/caller-facts.ts";
import { claimedConnection, claimedKey } from "../evidence/claimed-senders.ts";
import { evidence, type Sender } from "../evidence/collector.ts";
import type { Diagnosis, RequestEntry } from "../evidence/request-entry.ts";
import type { RequestTrace } from "../evidence/request-trace.ts";
import type { AppContext } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { callerRequestId, isKeyIntake, parseRequestId } from "../http/request-id.ts";
import { logError } from "../log.ts";
import type { Received } from "./intake.ts";
import type { ReportSender } from "./sender-cache.ts";

const SIGNED_INTAKE = /^\/api\/v1\/webhook\/inbound(?:\/[^/]*)?$/;

/** Whether the request is one that leaves evidence. */
export function isIntake(c: AppContext): boolean {
  const { method, path } = c.req;
  return method === "POST" && (SIGNED_INTAKE.test(path) || isKeyIntake(path));
}

/** Records the findings of an intake, for the evidence of its request. */
export function traceReceived(
  c: AppContext,
  { outcome, sender, bytes, diagnosis }: Received<ReportSender>,
): void {
  const trace = c.get("trace");
  if (trace === undefined) return;
  trace.gate = sender?.gate ?? null;
  trace.bytes = bytes ?? null;
  if (outcome.ok) {
    trace.isAccepted = !outcome.value.duplicate;
    trace.isDuplicate = outcome.value.duplicate;
    trace.fileId = outcome.value.fileId;
  } else {
    trace.diagnosis = diagnosis ?? diagnosisOfTime(outcome.error);
    if (outcome.error.kind === "processing_failed") trace.fileId = outcome.error.fileId;
  }
}

/** A timestamp was diagnosed when it was refused. */
function diagnosisOfTime(failure: Failure): Diagnosis[] {
  return failure.kind === "timestamp_expired" ? [failure.reason] : [];
}

/** Called when the response is made, which must not wait for it. Never rejects. An accepted request is in its gate's rows already. */
export async function leaveEvidence(c: AppContext, trace: RequestTrace, at: number): Promise<void> {
  try {
    await leave(c, trace, at);
  } catch (error) {
    logError("failed to keep the evidence of a request", { request_id: c.get("requestId") }, error);
  }
}

async function leave(c: AppContext, trace: RequestTrace, at: number): Promise<void> {
  const ms = Date.now() - at;
  const { status } = c.res;
  const { headers } = c.req.raw;
  const entry: RequestEntry = {
    ...callerFacts(headers, callerRequestId(headers), at),
    requestId: c.get("requestId"),
    at,
    outcome: trace.isDuplicate && status < 400 ? "duplicate" : "refused",
    status,
    code: trace.isDuplicate && status < 400 ? "DUPLICATE" : (trace.code ?? "INTERNAL_ERROR"),
    diagnosis: await trace.diagnosis,
    bytes: trace.bytes,
    fileId: trace.fileId,
    ms,
  };
  await evidence.addRequest(senderOf(c, trace), entry, c.env);
}

/** A sender that was found has a gate. A sender that is only claimed is looked up later. */
function senderOf(c: AppContext, { gate }: RequestTrace): Sender {
  if (gate !== null) return { gate };
  const tokenSha256 = c.get("tokenSha256");
  if (tokenSha256 !== null) return claimedKey(tokenSha256);
  const id = parseRequestId(c.get("requestId"));
  return id?.kind === "connection" ? claimedConnection(id.address) : "nobody";
}
