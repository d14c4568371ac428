/** Files of a key's owner: their status, and lists of them. Another owner's file is one that does not exist. */
import { Hono } from "hono";
import { every } from "hono/combine";
import * as z from "zod";
import { answerOf } from "../contract/answer.ts";
import { findGateOwner } from "../db/gates.ts";
import { parseFileId } from "../gate/file-id.ts";
import { type AppContext, type AppEnv, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { clientOf } from "../http/in-process.ts";
import { parseQuery } from "../http/validation.ts";
import { fileListFields, filesOfSender, NO_SUCH_SENDER, senderOf } from "../inbound/file-list.ts";
import { fileDetails, presentFileDetails } from "../inbound/file-presenter.ts";
import { type Environment, type GateAddress, gateName } from "../model.ts";
import { developerContract } from "./developer-contract.ts";
import { developerAuth, readLimit } from "./key-auth.ts";

const listQuery = z.strictObject(fileListFields);

const NOT_FOUND: Failure = { kind: "file_not_found" };

const getFileStatus = developerContract({}, () => ({
  id: "getFileStatus",
  summary: "Get a file's status",
  description: "Correct from the moment of the 202 on.",
  answers: { 200: answerOf("The file.", fileDetails(), { headers: ["rate"] }) },
  failures: [NOT_FOUND],
}));

const list = every(developerAuth, readLimit, async (c: AppContext) => {
  const parsed = parseQuery(c, listQuery);
  if (!parsed.ok) return failureResponse(c, parsed.error);
  const sender = senderOf(parsed.value);
  if (!sender.ok) return failureResponse(c, sender.error);
  const { id, environment } = c.get("apiKey");
  const gate = sender.value ?? { kind: "key", id };
  if (!(await reaches(c, gate, environment))) return failureResponse(c, NO_SUCH_SENDER[gate.kind]);
  const listed = await filesOfSender(c.env, gate, parsed.value, environment);
  return listed.ok ? c.json(listed.value) : failureResponse(c, listed.error);
});

export const files = new Hono<AppEnv>()
  .get("/files/status/:file_id", developerAuth, readLimit, getFileStatus, async (c) => {
    const parsed = parseFileId(c.req.param("file_id"));
    if (parsed === null || !(await reaches(c, parsed.gate))) return failureResponse(c, NOT_FOUND);
    const record = await c.env.CONNECTION_GATE.getByName(gateName(parsed.gate)).status(parsed.fileId);
    const within = record?.facts.environment === c.get("apiKey").environment;
    return record === null || !within ? failureResponse(c, NOT_FOUND) : c.json(presentFileDetails(record));
  })
  // The portal lists files at the same path, so a request with its credentials passes on to it.
  .get("/files", (c, next) => (isOfPortal(c) ? next() : list(c, next)));

function isOfPortal(c: AppContext): boolean {
  if (clientOf(c.req.raw) !== undefined) return true;
  const has = (name: string) => c.req.header(name) !== undefined;
  if (has("X-Client-ID") || has("X-Client-Secret")) return true;
  return has("Cf-Access-Jwt-Assertion") && !has("Authorization");
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
