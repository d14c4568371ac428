/** `GET /events` lists an owner's events, and `GET /events/{id}` shows one with its deliveries. */
import { Hono } from "hono";
import { countFanOut, deliveriesOfEvent } from "../../db/delivery-list.ts";
import { getEvent } from "../../db/events.ts";
import { findOwnerKey } from "../../db/owner-keys.ts";
import { parseFileId } from "../../gate/file-id.ts";
import { type AppEnv, failureResponse } from "../../http/context.ts";
import { fanOutOf, type ListedEvent, openEvent, readEvents } from "../../outbound/event-list.ts";
import { fileOfEvent } from "../../outbound/file-event-id.ts";
import { ownerOf } from "../owner.ts";
import { presentDelivery } from "../webhooks/delivery-presenter.ts";
import * as contract from "./event-contract.ts";
import { fileData, MAX_DELIVERIES, NO_EVENT } from "./event-contract.ts";

export const eventLists = new Hono<AppEnv>()
  .get("/events", contract.listEvents, async (c) => {
    const query = c.req.valid("query");
    const owned = ownerOf(c.get("client"), query);
    if (!owned.ok) return failureResponse(c, owned.error);
    const of = { owner: owned.value, environment: query.environment };
    return c.json(await readEvents(c.env.DB, c.get("settings").keyRing, of, query));
  })
  .get("/events/:event_id", contract.getEvent, async (c) => {
    const owned = ownerOf(c.get("client"), {});
    if (!owned.ok) return failureResponse(c, owned.error);
    const { value: owner } = owned;
    const { environment } = c.req.valid("query");
    const { DB: db } = c.env;
    const [row, key] = await Promise.all([
      getEvent(db, owner, environment, c.req.param("event_id")),
      findOwnerKey(db, c.get("settings").keyRing, owner),
    ]);
    const event = row && (await openEvent(key?.key ?? null, environment, row));
    if (row === null || event === null) return failureResponse(c, NO_EVENT);
    const now = Date.now();
    const [deliveries, fanOut] = await Promise.all([
      deliveriesOfEvent(db, owner, environment, row.seq, { limit: MAX_DELIVERIES, now }),
      countFanOut(db, owner, environment, [row.seq], now),
    ]);
    return c.json({
      event: {
        ...event,
        owner_type: owner.type,
        owner_id: owner.id,
        file_id: fileIdOf(event),
        deliveries: fanOutOf(fanOut.get(row.seq) ?? {}),
      },
      deliveries: deliveries.map(presentDelivery),
    });
  });

/** Of the gateway's own events by their id, of the files-creator's by their data. */
function fileIdOf({ id, type, data }: ListedEvent): string | null {
  const named = fileOfEvent(id);
  if (named !== null || !type.startsWith("file.")) return named;
  const { data: { fileId } = {} } = fileData.safeParse(data);
  return fileId === undefined ? null : (parseFileId(fileId)?.fileId ?? null);
}
