/** The response to a received report, the same at both intakes: the 202 and its wake-up, or the failure. */
import { parseFileId } from "../gate/file-id.ts";
import type { FileStatus } from "../gate/protocol.ts";
import { type AppContext, addLogFields, failureResponse, rateHeaders } from "../http/context.ts";
import { iso } from "../http/iso.ts";
import { callerRequestId, requestIdHeaders } from "../http/request-id.ts";
import { logError } from "../log.ts";
import { WakeUps } from "../messages.ts";
import { gateName, type RateStatus } from "../model.ts";
import type { Accepted, Received } from "./intake.ts";
import type { AcceptedBody } from "./report-contract.ts";

/** Kept by the isolate between requests: plain data only. */
const wakeUps = new WakeUps();

/** `sender` names the sender in the response, such as `connection_id`. */
export async function respond(
  c: AppContext,
  { outcome, rate }: Received<unknown>,
  sender: Record<string, string>,
): Promise<Response> {
  return outcome.ok
    ? respondAccepted(c, outcome.value, rate, sender)
    : failureResponse(c, outcome.error, rate);
}

async function respondAccepted(
  c: AppContext,
  accepted: Accepted,
  rate: RateStatus | null,
  sender: Record<string, string>,
): Promise<Response> {
  const { fileId, duplicate, ready, waitSeconds } = accepted;
  let { status } = accepted;
  if (ready) {
    const sent = wakeUps.add(fileId, Date.now() - c.get("startedAt"), c.env.FILES);
    // Not awaited, even for callers that wait for the file: a queue that hangs must not hold the response.
    if (sent !== undefined) c.executionCtx.waitUntil(sent);
  }
  if (status === "queued" && waitSeconds > 0) status = await waitForFile(c, fileId, waitSeconds);
  addLogFields(c, { outcome: duplicate ? "duplicate" : "accepted", file_id: fileId, file_status: status });
  if (status === "failed") return failureResponse(c, { kind: "processing_failed", fileId }, rate);
  const body: AcceptedBody = {
    success: true,
    file_id: fileId,
    status,
    ...sender,
    employer_id: accepted.employerId,
    received_at: iso(accepted.receivedAt),
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

/** The file's status once it is forwarded, or `queued`. The report is accepted whatever happens here. */
async function waitForFile(c: AppContext, fileId: string, seconds: number): Promise<FileStatus> {
  const parsed = parseFileId(fileId);
  if (parsed === null) return "queued";
  try {
    const gate = c.env.CONNECTION_GATE.getByName(gateName(parsed.gate));
    return (await gate.wait(fileId, seconds * 1_000)) ?? "queued";
  } catch (error) {
    logError("failed to wait for a file", { file_id: fileId }, error);
    return "queued";
  }
}
