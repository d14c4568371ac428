/** `POST /vault/rewrap`: one step of wrapping all data keys anew. For the portal itself; nobody else knows that it exists. */
import { Hono } from "hono";
import * as z from "zod";
import { type AuditRow, newAuditRow } from "../db/audit.ts";
import { type AppContext, type AppEnv, failureResponse } from "../http/context.ts";
import { encodeCursor, pageFields } from "../http/page.ts";
import { parseJsonBody } from "../http/validation.ts";
import { position, rewrapStep } from "../maintenance/rewrap.ts";
import { actsForEverybody } from "./owner.ts";

const LIST = "vault";

/** Keys of one step: each costs a call to its gate. */
const MAX_KEYS = 100;

export const rewrapBody = z.strictObject({
  limit: z.int().min(1).max(MAX_KEYS).default(MAX_KEYS),
  cursor: pageFields(LIST, position).cursor,
});

export const vault = new Hono<AppEnv>().post("/vault/rewrap", async (c) => {
  if (!actsForEverybody(c.get("client"))) return failureResponse(c, { kind: "not_found" });
  const body = await parseJsonBody(c, rewrapBody);
  if ("failure" in body) return failureResponse(c, body.failure);
  const { limit, cursor } = body.value;
  const { keyRing } = c.get("settings");
  const { next, ...progress } = await rewrapStep(cursor ?? null, limit, keyRing, c.env, (now) =>
    auditRowOf(c, keyRing.first, now),
  );
  return c.json({
    success: true,
    ring_key: keyRing.first,
    ...progress,
    done: next === null,
    next_cursor: next && encodeCursor(LIST, next),
  });
});

/** Keys are replaced many at a time: one row tells of them all, and how many they were. */
function auditRowOf(c: AppContext, ringKey: string, now: number): AuditRow {
  return newAuditRow({
    at: now,
    actor: c.get("client").actor,
    requestId: c.get("requestId"),
    kind: "vault",
    what: "rewrapped",
    subjectId: ringKey,
    owner: null,
    before: null,
    after: null,
  });
}
