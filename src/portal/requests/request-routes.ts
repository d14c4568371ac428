/** Lists the requests of a connection or key, and the requests for connections and keys that do not exist. */
import { Hono } from "hono";
import type * as z from "zod";
import { LOG_SHARDS, logName } from "../../evidence/request-log-name.ts";
import { mergeParts, partOf, type RequestPage, type RequestQuery } from "../../evidence/request-page.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import { encodeCursor } from "../../http/page.ts";
import { type GateAddress, gateName } from "../../model.ts";
import { API_KEY } from "../api-keys/api-key-presenter.ts";
import { findManaged } from "../change.ts";
import { CONNECTION } from "../connections/connection-presenter.ts";
import { forEveryOwner } from "../scope.ts";
import {
  listApiKeyRequests,
  listConnectionRequests,
  listUnknownRequests,
  REQUEST_LIST,
  type requestQuery,
} from "./request-contract.ts";
import { presentRequest } from "./request-presenter.ts";

/** As long as evidence is kept. */
const DEFAULT_WINDOW_MS = 30 * 86_400_000;

export const requests = new Hono<AppEnv>()
  .get("/connections/:connection_id/requests", listConnectionRequests, async (c) => {
    const found = await findManaged(c, CONNECTION);
    if (!found.ok) return failureResponse(c, found.error);
    return listOf(c, { kind: "connection", id: found.value.id }, queryOf(c.req.valid("query")));
  })
  .get("/api-keys/:api_key_id/requests", listApiKeyRequests, async (c) => {
    const found = await findManaged(c, API_KEY);
    if (!found.ok) return failureResponse(c, found.error);
    return listOf(c, { kind: "key", id: found.value.id }, queryOf(c.req.valid("query")));
  })
  .get("/requests", forEveryOwner, listUnknownRequests, async (c) => {
    const query = queryOf(c.req.valid("query"));
    const shards = Array.from({ length: LOG_SHARDS }, (_, shard) => logName(shard));
    const pages = await Promise.all(shards.map((name) => c.env.REQUEST_LOG.getByName(name).requests(query)));
    const parts = pages.map((page) => partOf(page, query.limit));
    const counts: Record<string, number> = {};
    for (const page of pages)
      for (const [code, n] of Object.entries(page.counts)) counts[code] = (counts[code] ?? 0) + n;
    return present(c, { ...mergeParts(parts, query.limit), counts });
  });

/** D1 has confirmed that the gate's row exists. */
async function listOf(c: AppContext, gate: GateAddress, query: RequestQuery): Promise<Response> {
  return present(c, await c.env.CONNECTION_GATE.getByName(gateName(gate)).requests(query));
}

function queryOf({
  outcome,
  code,
  since,
  until,
  cursor,
  limit,
}: z.output<typeof requestQuery>): RequestQuery {
  const now = Date.now();
  return {
    outcome: outcome ?? null,
    code: code ?? null,
    since: Math.max(0, since === undefined ? now - DEFAULT_WINDOW_MS : Date.parse(since)),
    // The clocks of isolates differ: a request may be a little ahead.
    until: Math.max(0, until === undefined ? now + 60_000 : Date.parse(until)),
    before: cursor === undefined ? null : { at: cursor[0], tie: cursor[1] },
    limit,
  };
}

function present(c: AppContext, { requests: found, next, counts }: RequestPage): Response {
  return c.json({
    requests: found.map(({ entry }) => presentRequest(entry)),
    next_cursor: next === null ? null : encodeCursor(REQUEST_LIST, [next.at, next.tie]),
    counts,
  });
}
