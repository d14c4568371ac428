/** `GET /events` for a bearer key: its owner's events, including those that no webhook received. */
import { Hono } from "hono";
import { every } from "hono/combine";
import * as z from "zod";
import { type AppContext, type AppEnv, failureResponse } from "../http/context.ts";
import { parseQuery } from "../http/validation.ts";
import { eventListFields, readEvents } from "../outbound/event-list.ts";
import { developerAuth, readLimit } from "./key-auth.ts";

const query = z.strictObject(eventListFields);

const answer = every(developerAuth, readLimit, async (c: AppContext) => {
  const parsed = parseQuery(c, query);
  if (!parsed.ok) return failureResponse(c, parsed.error);
  const { owner_type: type, owner_id: id, environment } = c.get("apiKey");
  const of = { owner: { type, id }, environment };
  return c.json(await readEvents(c.env.DB, c.get("settings").keyRing, of, parsed.value));
});

/** The portal lists events at the same path, so a request without a bearer key passes on to it. */
export const developerEvents = new Hono<AppEnv>().get("/events", (c, next) =>
  c.req.header("Authorization") !== undefined && c.req.header("X-Client-ID") === undefined
    ? answer(c, next)
    : next(),
);
