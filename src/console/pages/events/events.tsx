/** Events: the catalogue, the list of what happened to an owner, the page of each, and sending one to the sandbox. */
import { Hono } from "hono";
import type { ConsoleEnv } from "../../console-host.ts";
import { showCatalogue } from "./catalogue.tsx";
import { showEvents } from "./event-list.tsx";
import { showEvent } from "./event-page.tsx";
import { sendEvent } from "./send-act.ts";

export const events = new Hono<ConsoleEnv>()
  .get("/console/events", (c) =>
    c.req.query("tab") === "catalogue" ? showCatalogue(c) : showEvents(c, null),
  )
  .post("/console/events", sendEvent)
  .get("/console/events/:event_id", showEvent);
