/** Sessions of people in the console: list, read, revoke. */
import { Hono } from "hono";
import { getSession, listSessions, revokeSession, type Session } from "../../db/sessions.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { pageOf } from "../../http/page.ts";
import { err, ok, type Result } from "../../result.ts";
import { madeBy } from "../audit-row.ts";
import { mayReach, ownerIn, ownerOrAll } from "../owner.ts";
import { presentSession } from "./present-access.ts";
import * as contract from "./session-contract.ts";
import { NO_SESSION, SESSION_LIST } from "./session-contract.ts";
import { sessionRow } from "./signed-in.ts";

export const sessions = new Hono<AppEnv>()
  .get("/sessions", contract.listSessions, async (c) => {
    const { include_ended, limit, cursor, ...named } = c.req.valid("query");
    const owned = ownerOrAll(c.get("client"), named);
    if (!owned.ok) return failureResponse(c, owned.error);
    const now = Date.now();
    const filter = { endedToo: include_ended === "true", now };
    const found = await listSessions(c.env.DB, owned.value, filter, cursor ?? null, limit);
    const { rows, next_cursor } = pageOf(SESSION_LIST, found, limit, (row) => [row.created_at, row.id]);
    return c.json({ sessions: rows.map((row) => presentSession(row, now)), next_cursor });
  })
  .get("/sessions/:session_id", contract.getSession, async (c) => {
    const found = await findSession(c);
    if (!found.ok) return failureResponse(c, found.error);
    return c.json({ session: presentSession(found.value, Date.now()) });
  })
  .delete("/sessions/:session_id", contract.revokeSession, async (c) => {
    const found = await findSession(c);
    if (!found.ok) return failureResponse(c, found.error);
    const now = Date.now();
    const by = madeBy(c);
    await revokeSession(c.env.DB, found.value.id, sessionRow(found.value, "revoked", by, now), now);
    const row = (await getSession(c.env.DB, found.value.id)) ?? found.value;
    return c.json({ message: "session_revoked", session: presentSession(row, now) });
  });

/** The session that the path names, within the client's scope. */
async function findSession(c: AppContext): Promise<Result<Session, Failure>> {
  const row = await getSession(c.env.DB, (c.req.param("session_id") ?? "").toLowerCase());
  return row !== null && mayReach(c.get("client"), ownerIn(row)) ? ok(row) : err(NO_SESSION);
}
