/** POST /files: records the report, writes its CSV once, answers as ordered, and reports the outcome. */

import { csvFile } from "./csv.ts";
import { sendReports } from "./event-reports.ts";
import { fileEvents, hex } from "./file-events.ts";
import type { FilesCreatorEnv } from "./files-creator-env.ts";
import type { FileLedger, Submission } from "./ledger.ts";
import { type Fault, HANG_MS } from "./ordered-faults.ts";
import { type ParsedReport, type PayrollTable, parseReport } from "./payroll-table.ts";

/** The content types that a plain Express `express.json()` reads: JSON, in a Unicode charset. */
const JSON_TYPE = /^\s*application\/json\s*(?:;|$)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]*)/i;
const FILE_ID = /^[A-Za-z0-9_.-]{1,128}$/;
const KEPT_HEADER = /^(x-audit1-.*|content-type|idempotency-key)$/;

export const csvKey = (fileId: string): string => `csv/${fileId}.csv`;
export const rawKey = (fileId: string): string => `raw/${fileId}`;

/** The one ledger of the stand-in. */
export function ledgerOf(env: FilesCreatorEnv): DurableObjectStub<FileLedger> {
  return env.LEDGER.get(env.LEDGER.idFromName("ledger"));
}

export async function receiveFile(
  request: Request,
  env: FilesCreatorEnv,
  ctx: ExecutionContext,
): Promise<Response> {
  const fileId = request.headers.get("x-audit1-file-id") ?? "";
  if (!FILE_ID.test(fileId)) {
    return refusal(400, "Missing X-Audit1-File-Id", "Send the file's id: 1 to 128 of A-Z a-z 0-9 _ . -");
  }
  const contentType = request.headers.get("content-type") ?? "";
  if (!JSON_TYPE.test(contentType)) {
    return refusal(400, "Unreadable body", "Send the report with Content-Type: application/json.");
  }
  const [, charset = "utf-8"] = CHARSET.exec(contentType) ?? [];
  if (!charset.toLowerCase().startsWith("utf-")) {
    return refusal(415, "Unsupported charset", "Send the report in UTF-8, without another charset.");
  }
  const idempotencyKey = request.headers.get("idempotency-key") ?? fileId;
  const bytes = await request.arrayBuffer();
  const parsed = parseReport(bytes);
  const { fault, submission } = await ledgerOf(env).admit({
    fileId,
    idempotencyKey,
    attempt: request.headers.get("x-audit1-attempt"),
    sha256: hex(await crypto.subtle.digest("SHA-256", bytes)),
    byteLength: bytes.byteLength,
    headers: Object.fromEntries([...request.headers].filter(([name]) => KEPT_HEADER.test(name))),
    table: parsed.ok ? { total: parsed.table.total, written: parsed.table.rows.length } : null,
  });

  if (fault?.delay_ms) await scheduler.wait(fault.delay_ms);
  if (submission !== null && parsed.ok && !submission.stored) {
    await store(env, ctx, fault, { idempotencyKey, submission, bytes, table: parsed.table, request });
  }
  return answer(fault, submission, parsed);
}

/**
 * Writes the file of the first copy. A concurrent copy that finds no file yet writes the same bytes again; a copy with other
 * bytes under the same key writes nothing.
 */
async function store(
  env: FilesCreatorEnv,
  ctx: ExecutionContext,
  fault: Fault | undefined,
  file: {
    idempotencyKey: string;
    submission: Submission;
    bytes: ArrayBuffer;
    table: PayrollTable;
    request: Request;
  },
): Promise<void> {
  const { idempotencyKey, submission, bytes, table, request } = file;
  const sha256 = hex(await crypto.subtle.digest("SHA-256", bytes));
  if (sha256 !== submission.sha256) return;
  await Promise.all([
    env.FILES.put(rawKey(submission.fileId), bytes, { sha256 }),
    env.FILES.put(csvKey(submission.fileId), csvFile(table.columns, table.rows), {
      httpMetadata: { contentType: "text/csv; charset=utf-8" },
    }),
  ]);
  const employerId = request.headers.get("x-audit1-employer-id");
  const events = await fileEvents(
    { fileId: submission.fileId, employerId, idempotencyKey },
    table,
    new Date(),
  );
  const owed = fault?.report === "none" ? [] : events;
  const ledger = ledgerOf(env);
  await ledger.stored(idempotencyKey, owed);
  const reporting = async () => ledger.reported(await sendReports(env, owed));
  if (fault?.report === "before_answer") await reporting();
  else if (owed.length > 0) ctx.waitUntil(reporting());
}

async function answer(
  fault: Fault | undefined,
  submission: Submission | null,
  parsed: ParsedReport,
): Promise<Response> {
  if (fault?.hang) {
    await scheduler.wait(HANG_MS);
    return refusal(504, "Timeout", "A fault was ordered: this answer hangs.", fault);
  }
  if (fault?.drop === true) throw new Error("A fault was ordered: this connection breaks.");
  if (fault?.drop === "body") return brokenBody();
  if (fault?.status !== undefined && fault.status >= 300) {
    return refusal(fault.status, "Ordered fault", `A fault was ordered: status ${fault.status}.`, fault);
  }
  if (submission !== null) {
    const body = { file_id: submission.fileId, status: "processing", records_total: submission.recordsTotal };
    return Response.json(body, { status: fault?.status ?? 202 });
  }
  if (!parsed.ok) return refusal(422, parsed.error, parsed.message);
  return Response.json(
    { status: "processing", records_total: parsed.table.total },
    { status: fault?.status ?? 202 },
  );
}

/** The headers of a success, then an incomplete body. */
function brokenBody(): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"file_id":'));
    },
    pull(controller) {
      controller.error(new Error("A fault was ordered: this body breaks."));
    },
  });
  return new Response(body, { status: 202, headers: { "content-type": "application/json" } });
}

export function refusal(status: number, error: string, message: string, fault?: Fault): Response {
  const headers: HeadersInit =
    fault?.retry_after === undefined ? {} : { "retry-after": String(fault.retry_after) };
  return Response.json({ error, message }, { status, headers });
}
