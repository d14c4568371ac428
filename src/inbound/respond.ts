/** The answer to a report that went through a door, the same at each: the 202 and its wake-up, or the failure. */

import { parseFileId } from "../gate/file-id.ts";
import type { FileStatus } from "../gate/protocol.ts";
import type { RateStatus } from "../gate/rate-window.ts";
import { type AppContext, failureResponse, note, rateHeaders } from "../http/context.ts";
import { callerRequestId, requestIdHeaders } from "../http/request-id.ts";
import { logError } from "../log.ts";
import { WakeUps } from "../messages.ts";
import { gateName } from "../model.ts";
import type { Accepted, Received } from "./receive.ts";

/** Kept by the isolate between requests: plain data only. */
const wakeUps = new WakeUps();

/** `sender` names it in the answer, such as `connection_id`. */
export async function answerReceived(
  c: AppContext,
  received: Received<unknown>,
  sender: Record<string, string>,
): Promise<Response> {
  return "accepted" in received
    ? answerAccepted(c, received.accepted, received.rate, sender)
    : failureResponse(c, received.failure, received.rate);
}

async function answerAccepted(
  c: AppContext,
  accepted: Accepted,
  rate: RateStatus | null,
  sender: Record<string, string>,
): Promise<Response> {
  const { fileId, duplicate, ready, waitSeconds } = accepted;
  let { status } = accepted;
  if (ready) {
    const sent = wakeUps.add(fileId, c.env.FILES);
    // Not awaited, by callers that wait for the file either: a queue that hangs must not hold the answer.
    if (sent !== undefined) c.executionCtx.waitUntil(sent);
  }
  if (status === "queued" && waitSeconds > 0) status = await waitForAnswer(c, fileId, waitSeconds);
  note(c, { outcome: duplicate ? "duplicate" : "accepted", file_id: fileId, file_status: status });
  if (status === "failed") return failureResponse(c, { kind: "processing_failed", fileId }, rate);
  const body = {
    success: true,
    file_id: fileId,
    status,
    ...sender,
    employer_id: accepted.employerId,
    received_at: new Date(accepted.receivedAt).toISOString(),
    duplicate,
    warnings: accepted.warnings,
  };
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    Location: `/api/v1/files/status/${fileId}`,
    ...(rate && rateHeaders(rate)),
    ...requestIdHeaders(c.get("requestId"), callerRequestId(c.req.raw.headers)),
  };
  if (waitSeconds > 0) headers["Preference-Applied"] = `wait=${waitSeconds}`;
  return new Response(JSON.stringify(body), {
    status: waitSeconds > 0 && status !== "queued" ? 200 : 202,
    headers,
  });
}

/** The report is accepted whatever happens here: without an answer it is still queued. */
async function waitForAnswer(c: AppContext, fileId: string, seconds: number): Promise<FileStatus> {
  const parsed = parseFileId(fileId);
  if (parsed === null) return "queued";
  try {
    const gate = c.env.CONNECTION_GATE.getByName(gateName(parsed.gate));
    return (await gate.wait(fileId, seconds * 1_000)) ?? "queued";
  } catch (error) {
    logError("waiting for a file was cut short", { file_id: fileId }, error);
    return "queued";
  }
}
