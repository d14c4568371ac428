/** Replays of a webhook: begin one, or count what it would queue; list them, follow one, end it. */
import { Hono } from "hono";
import { newObjectId } from "../../crypto/ids.ts";
import { seqAt, storedAt } from "../../db/events.ts";
import { type AppEnv, failureResponse } from "../../http/context.ts";
import { iso } from "../../http/iso.ts";
import { pageOf } from "../../http/page.ts";
import {
  beginReplay,
  countReplayed,
  endReplay,
  findReplay,
  listReplaysOf,
  type Replay,
} from "../../outbound/replay.ts";
import { findManaged, notFound } from "../change.ts";
import { ownerOf } from "../owner.ts";
import { DISABLED } from "./delivery-contract.ts";
import * as contract from "./replay-contract.ts";
import { NO_REPLAY, REPLAY_LIST, type ShownReplay } from "./replay-contract.ts";
import { ANY_WEBHOOK, auditRowOfWebhook, WEBHOOK } from "./webhook-presenter.ts";

export const replays = new Hono<AppEnv>()
  .get("/replays", contract.listReplays, async (c) => {
    const { limit, cursor, webhook_id, ...named } = c.req.valid("query");
    const owned = ownerOf(c.get("client"), named);
    if (!owned.ok) return failureResponse(c, owned.error);
    const { type, id } = owned.value;
    const webhook = webhook_id === undefined ? null : await ANY_WEBHOOK.find(c.env.DB, webhook_id);
    if (webhook_id !== undefined && (webhook?.owner_type !== type || webhook.owner_id !== id))
      return failureResponse(c, notFound("webhook"));
    const rows = await listReplaysOf(c.env.DB, owned.value, webhook?.id ?? null, cursor ?? null, limit);
    const page = pageOf(REPLAY_LIST, rows, limit, ({ created_at, id }) => [created_at, id]);
    return c.json({ replays: page.rows.map(presentReplay), next_cursor: page.next_cursor });
  })
  .post("/webhooks/:webhook_id/replay", contract.replayWebhook, async (c) => {
    const body = c.req.valid("json");
    const found = await findManaged(c, WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const now = Date.now();
    const since = Date.parse(body.since);
    const until = Math.min(now, body.until === undefined ? now : Date.parse(body.until));
    if (since >= until) return failureResponse(c, { kind: "range_empty" });
    const before = seqAt(Math.max(0, since)) - 1;
    const replay: Replay = {
      id: newObjectId(),
      webhook_id: found.value.id,
      only: body.only,
      from_seq: before,
      position: before,
      until: seqAt(until + 1),
      queued: 0,
      status: "running",
      created_at: now,
      updated_at: now,
    };
    if (body.dry_run) {
      const matched = await countReplayed(c.env.DB, replay);
      return matched === null ? failureResponse(c, DISABLED) : c.json({ dry_run: true, matched });
    }
    const { since: from, until: to } = presentReplay(replay);
    const auditRow = auditRowOfWebhook(c, found.value, "replayed", {
      replay: replay.id,
      since: from,
      until: to,
      only: replay.only,
    });
    const begun = await beginReplay(c.env.DB, replay, auditRow);
    if (!begun.ok)
      return failureResponse(
        c,
        begun.error.reason === "disabled" ? DISABLED : { kind: "replay_running", replayId: begun.error.id },
      );
    return c.json({ success: true, replay: presentReplay(replay) }, 202);
  })
  .get("/webhooks/:webhook_id/replays/:replay_id", contract.getReplay, async (c) => {
    const found = await findManaged(c, ANY_WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const replay = await findReplay(c.env.DB, found.value.id, c.req.param("replay_id").toLowerCase());
    return replay === null ? failureResponse(c, NO_REPLAY) : c.json({ replay: presentReplay(replay) });
  })
  .delete("/webhooks/:webhook_id/replays/:replay_id", contract.endReplay, async (c) => {
    const found = await findManaged(c, ANY_WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const key = { webhookId: found.value.id, id: c.req.param("replay_id").toLowerCase() };
    const auditRow = auditRowOfWebhook(c, found.value, "replay_ended", { replay: key.id });
    await endReplay(c.env.DB, key, auditRow, Date.now());
    const replay = await findReplay(c.env.DB, key.webhookId, key.id);
    return replay === null
      ? failureResponse(c, NO_REPLAY)
      : c.json({ message: "replay_ended", replay: presentReplay(replay) });
  });

function presentReplay(replay: Replay): ShownReplay {
  const { from_seq, position, until } = replay;
  return {
    id: replay.id,
    webhookId: `wh_${replay.webhook_id}`,
    status: replay.status,
    only: replay.only,
    since: iso(storedAt(from_seq + 1)),
    until: iso(storedAt(until) - 1),
    position: iso(storedAt(position + 1)),
    progress: Math.round(((position - from_seq) / (until - 1 - from_seq)) * 1_000) / 1_000,
    queued: replay.queued,
    createdAt: iso(replay.created_at),
    updatedAt: iso(replay.updated_at),
  };
}
