/** `POST /webhook/inbound/{connection_id}`: the door for payroll systems. */
import { Hono } from "hono";
import { WakeUps } from "../forwarding/wake-up.ts";
import { gateName, parseFileId } from "../gate/file-id.ts";
import type { FileStatus } from "../gate/protocol.ts";
import type { Standing } from "../gate/rate-window.ts";
import { type AppContext, type AppEnv, failureResponse, note, rateHeaders } from "../http/context.ts";
import { requestIdHeaders } from "../http/request-id.ts";
import { logError } from "../log.ts";
import { BodyBudget } from "./body-budget.ts";
import { ConnectionDirectory } from "./directory.ts";
import { type Accepted, receive } from "./receive.ts";
import { Refusals } from "./refusals.ts";

/** What an isolate keeps between requests: plain data only. */
export const directory = new ConnectionDirectory();
const budget = new BodyBudget();
const refusals = new Refusals();
const wakeUps = new WakeUps();

export const inbound = new Hono<AppEnv>();

inbound.post("/webhook/inbound", (c) => failureResponse(c, { kind: "invalid_connection_id" }));

inbound.post("/webhook/inbound/:connection_id", async (c) => {
  const id = c.req.param("connection_id");
  const address = c.req.header("CF-Connecting-IP") ?? "unknown";
  const heldBackFor = refusals.heldBack(address, id.toLowerCase(), Date.now());
  if (heldBackFor !== null)
    return failureResponse(c, { kind: "too_many_refusals", retryAfterSeconds: heldBackFor });

  const deps = { env: c.env, settings: c.get("settings"), directory, budget };
  const received = await receive(id, c.req.raw, c.get("requestId"), deps);
  note(c, { connection_id: received.connectionId });
  if ("accepted" in received) return answer(c, id.toLowerCase(), received.accepted, received.rate);
  if (received.failure.kind === "connection_not_found" || received.failure.kind === "invalid_signature") {
    c.executionCtx.waitUntil(refusals.count(address, id.toLowerCase(), c.env.REFUSALS));
  }
  return failureResponse(c, received.failure, received.rate);
});

async function answer(
  c: AppContext,
  connectionId: string,
  accepted: Accepted,
  rate: Standing | null,
): Promise<Response> {
  const { fileId, duplicate, ready, waitSeconds } = accepted;
  let { status } = accepted;
  if (ready) {
    const sent = wakeUps.add(fileId, c.env.FILES);
    if (sent !== undefined) c.executionCtx.waitUntil(sent);
    if (waitSeconds > 0) await sent;
  }
  if (status === "queued" && waitSeconds > 0) status = await waitForAnswer(c, fileId, waitSeconds);
  note(c, { outcome: duplicate ? "duplicate" : "accepted", file_id: fileId, file_status: status });
  if (status === "failed") return failureResponse(c, { kind: "processing_failed", fileId }, rate);
  const body = {
    success: true,
    file_id: fileId,
    status,
    connection_id: connectionId,
    employer_id: accepted.employerId,
    received_at: new Date(accepted.receivedAt).toISOString(),
    duplicate,
    warnings: accepted.warnings,
  };
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    Location: `/api/v1/files/status/${fileId}`,
    ...(rate && rateHeaders(rate)),
    ...requestIdHeaders(c.get("requestId")),
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
