/**
 * Alerts: list and acknowledge. The watch stores them, so a batch of D1 cannot include an acknowledgement; the audit row is written before
 * it.
 */
import { Hono } from "hono";
import { recordAudit } from "../../db/audit.ts";
import { type AppContext, type AppEnv, type Client, failureResponse } from "../../http/context.ts";
import { pageOf } from "../../http/page.ts";
import { WATCH_NAME } from "../../raised-conditions.ts";
import { type Alert, acknowledgementCounts, acknowledger } from "../../watch/alert-store.ts";
import { presentAlert } from "../../watch/present-alert.ts";
import { actionRow } from "../audit-row.ts";
import { notFound } from "../change.ts";
import { actsForEverybody, mayReach, ownerOrAll } from "../owner.ts";
import { forEveryOwner } from "../scope.ts";
import * as contract from "./alert-contract.ts";
import { ALERT_ID, ALERT_LIST, type AlertAnswer } from "./alert-contract.ts";
import { shownSettings } from "./alert-settings.ts";

export const alerts = new Hono<AppEnv>()
  .get("/alert-settings", forEveryOwner, contract.getAlertSettings, (c) =>
    c.json({ alert_settings: shownSettings(c.get("settings")) }),
  )
  .get("/alerts", contract.listAlerts, async (c) => {
    const { owner_type, owner_id, status, kind, limit, cursor } = c.req.valid("query");
    const client = c.get("client");
    const owned = ownerOrAll(client, { owner_type, owner_id });
    if (!owned.ok) return failureResponse(c, owned.error);
    const filter = { owner: owned.value, status: status ?? null, kind: kind ?? null };
    const found = await watchOf(c).listAlerts(filter, cursor ?? null, limit);
    const { rows, next_cursor } = pageOf(ALERT_LIST, found, limit, ({ id }) => id);
    return c.json({ alerts: rows.map((row) => present(row, client)), next_cursor });
  })
  .post("/alerts/:alert_id/acknowledge", contract.acknowledgeAlert, async (c) => {
    const id = c.req.param("alert_id");
    const client = c.get("client");
    const alert = ALERT_ID.test(id) ? await watchOf(c).findAlert(id) : null;
    if (alert === null || !mayReach(client, alert.owner)) return failureResponse(c, notFound("alert"));
    const by = acknowledger(client.actor, { forOwner: !actsForEverybody(client) });
    if (!acknowledgementCounts(by, alert)) return c.json({ success: true, alert: present(alert, client) });
    await recordAudit(
      c.env.DB,
      actionRow(c, {
        at: Date.now(),
        kind: "alert",
        what: "acknowledged",
        subjectId: id,
        owner: alert.owner,
        after: null,
      }),
    );
    const acknowledged = await watchOf(c).acknowledge(id, by);
    if (acknowledged === null) return failureResponse(c, notFound("alert"));
    return c.json({ success: true, alert: present(acknowledged, client) });
  });

function watchOf(c: AppContext) {
  return c.env.WATCH.getByName(WATCH_NAME);
}

function present(alert: Alert, client: Client): AlertAnswer {
  const shown = presentAlert(alert);
  // An owner's client learns that Audit1 looks after it, but not the person's address.
  const by = shown.acknowledged_by;
  return client.owner === undefined
    ? shown
    : { ...shown, acknowledged_by: by?.replace(/^(owner:)?access:.*$/s, "$1access") ?? null };
}
