/** Files of a key's owner: their status, and lists of them. Another owner's file is one that does not exist. */
import { Hono } from "hono";
import * as z from "zod";
import { answerOf, once, page } from "../contract/answer.ts";
import { EXAMPLE, like } from "../contract/examples.ts";
import { environment, fileId, fileStatus, moment, objectId } from "../contract/fields.ts";
import { findGateOwner } from "../db/gates.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { FileRecord } from "../gate/protocol.ts";
import { type AppContext, type AppEnv, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { iso } from "../http/iso.ts";
import { pageLimit } from "../http/page.ts";
import {
  API_KEY_PREFIX,
  type Environment,
  type GateAddress,
  type GateKind,
  gateName,
  objectIdOf,
} from "../model.ts";
import { developerContract } from "./developer-contract.ts";
import { developerAuth, readLimit } from "./key-auth.ts";

/** A page is filled from at most this many pages of rows, so that a rare status does not scan a whole gate. */
const SCANNED_PAGES = 10;

const listQuery = z.strictObject({
  connection_id: z
    .string()
    .refine((text) => objectIdOf(text, "") !== null, "Must be 24 hex characters")
    .meta({ pattern: "^[0-9a-fA-F]{24}$" })
    .optional(),
  api_key_id: z
    .string()
    .refine((text) => objectIdOf(text, API_KEY_PREFIX) !== null, "Must be ak_ and 24 hex characters")
    .meta({ pattern: "^(ak_)?[0-9a-fA-F]{24}$" })
    .optional(),
  status: z.enum(["queued", "processing", "completed", "failed"]).optional(),
  limit: pageLimit,
  cursor: z
    .string()
    .refine((text) => parseFileId(text) !== null, "Not a cursor of this list")
    .optional(),
});

const NOT_FOUND: Failure = { kind: "file_not_found" };

const NO_SUCH_SENDER: Record<GateKind, Failure> = {
  connection: { kind: "connection_not_found" },
  key: { kind: "api_key_not_found" },
};

const INVALID_CURSOR: Failure = { kind: "foreign_cursor" };

const count = () => z.int().nonnegative().nullable();

const file = once(() =>
  z
    .strictObject({
      file_id: fileId(),
      status: like(fileStatus(), "completed"),
      records_total: like(count(), 1, "As reported by the files-creator; null until then."),
      records_processed: like(count(), 1),
      records_failed: like(count(), 0),
      kind: like(z.enum(["payroll_report", "employee_sync"]), "payroll_report"),
      environment: environment(),
      employer_id: like(z.string(), EXAMPLE.employerId),
      connection_id: like(
        objectId().optional(),
        EXAMPLE.connectionId,
        "If the report came through a connection.",
      ),
      api_key_id: objectId().optional().meta({ description: "If the report came with a bearer key." }),
      request_id: like(z.string(), EXAMPLE.requestId, "The id of the request that delivered the report."),
      caller_request_id: z
        .string()
        .nullable()
        .meta({ description: "The `X-Request-Id` of that request, if it had one." }),
      size: like(z.int().nonnegative(), 254, "Size of the received report in bytes."),
      generation: like(z.int().positive(), 1, "Increases by one each time the file is forwarded again."),
      attempts: like(z.int().nonnegative(), 1),
      next_attempt_at: moment().nullable(),
      received_at: moment(),
      updated_at: moment(EXAMPLE.later),
    })
    .meta({ id: "File" }),
);

const getFileStatus = developerContract({}, () => ({
  id: "getFileStatus",
  summary: "Get a file's status",
  description: "Correct from the moment of the 202 on.",
  answers: { 200: answerOf("The file.", file(), { headers: ["rate"] }) },
  failures: [NOT_FOUND],
}));

const listOfFiles = developerContract({ query: listQuery }, () => ({
  id: "listFiles",
  summary: "List files",
  description:
    "Newest first: the files of a connection or of another key of the same owner, or those sent with this key. A filtered page may hold fewer entries than its limit even if the list continues.",
  answers: { 200: page("A page of files.", "files", file(), { headers: ["rate"] }) },
  failures: [
    {
      kind: "invalid_fields",
      details: { limit: "Must be at most 100" },
    },
    INVALID_CURSOR,
    NO_SUCH_SENDER.connection,
    NO_SUCH_SENDER.key,
  ],
}));

export const files = new Hono<AppEnv>()
  .get("/files/status/:file_id", developerAuth, readLimit, getFileStatus, async (c) => {
    const parsed = parseFileId(c.req.param("file_id"));
    if (parsed === null || !(await reaches(c, parsed.gate))) return failureResponse(c, NOT_FOUND);
    const record = await c.env.CONNECTION_GATE.getByName(gateName(parsed.gate)).status(parsed.fileId);
    const within = record?.facts.environment === c.get("apiKey").environment;
    return record === null || !within ? failureResponse(c, NOT_FOUND) : c.json(presentFile(record));
  })
  .get("/files", developerAuth, readLimit, listOfFiles, async (c) => {
    const { connection_id, api_key_id, status, limit, cursor } = c.req.valid("query");
    if (connection_id !== undefined && api_key_id !== undefined) {
      return failureResponse(c, { kind: "two_senders" });
    }
    const gate: GateAddress =
      connection_id === undefined
        ? { kind: "key", id: objectIdOf(api_key_id ?? "", API_KEY_PREFIX) ?? c.get("apiKey").id }
        : { kind: "connection", id: connection_id.toLowerCase() };
    const foreignCursor =
      cursor !== undefined && gateName(parseFileId(cursor)?.gate ?? gate) !== gateName(gate);
    if (foreignCursor) return failureResponse(c, INVALID_CURSOR);
    if (!(await reaches(c, gate, c.get("apiKey").environment))) {
      return failureResponse(c, NO_SUCH_SENDER[gate.kind]);
    }
    const page = await listFiles(c, gate, { status, limit, cursor: cursor ?? null });
    return c.json({ files: page.files.map(presentFile), next_cursor: page.nextCursor });
  });

async function listFiles(
  c: AppContext,
  gate: GateAddress,
  {
    status,
    limit,
    cursor,
  }: { status: FileRecord["status"] | undefined; limit: number; cursor: string | null },
): Promise<{ files: FileRecord[]; nextCursor: string | null }> {
  const stub = c.env.CONNECTION_GATE.getByName(gateName(gate));
  const found: FileRecord[] = [];
  let before = cursor;
  for (let page = 0; page < SCANNED_PAGES; page++) {
    const records = await stub.list(before, limit);
    for (const record of records) {
      if (record.facts.environment !== c.get("apiKey").environment) continue;
      if (status !== undefined && record.status !== status) continue;
      if (found.length === limit) return { files: found, nextCursor: found.at(-1)?.fileId ?? null };
      found.push(record);
    }
    const last = records.at(-1);
    if (last === undefined || records.length < limit) return { files: found, nextCursor: null };
    before = last.fileId;
    if (found.length === limit) break;
  }
  return { files: found, nextCursor: found.length === limit ? (found.at(-1)?.fileId ?? null) : before };
}

/**
 * Asked of D1 before a gate is touched: a forged id must not create an object. A connection may have moved to the other
 * environment since a file came, so that each file's own decides about the file.
 */
async function reaches(c: AppContext, gate: GateAddress, environment?: Environment): Promise<boolean> {
  const key = c.get("apiKey");
  const owner = await findGateOwner(c.env.DB, gate);
  return (
    owner !== null &&
    owner.owner_type === key.owner_type &&
    owner.owner_id === key.owner_id &&
    (environment === undefined || owner.environment === environment)
  );
}

function presentFile(record: FileRecord): z.infer<ReturnType<typeof file>> {
  const { fileId, facts } = record;
  const gate = parseFileId(fileId)?.gate;
  return {
    file_id: fileId,
    status: record.status,
    records_total: record.recordsTotal,
    records_processed: record.recordsProcessed,
    records_failed: record.recordsFailed,
    kind: facts.kind,
    environment: facts.environment,
    employer_id: facts.employerId,
    ...(gate?.kind === "key" ? { api_key_id: gate.id } : { connection_id: gate?.id }),
    request_id: facts.requestId,
    caller_request_id: facts.callerRequestId ?? null,
    size: facts.size,
    generation: record.generation,
    attempts: record.attempts,
    next_attempt_at: iso(record.nextAttemptAt),
    received_at: iso(facts.receivedAt),
    updated_at: iso(record.updatedAt),
  };
}
