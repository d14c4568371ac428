/** The contract of alerts. */
import * as z from "zod";
import { answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { moment, success } from "../../contract/fields.ts";
import { pageFields } from "../../http/page.ts";
import { OWNER_TYPES } from "../../model.ts";
import { ALERT_KINDS, ALERT_SUBJECTS } from "../../watch/alert-kinds.ts";
import { ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";

/** The name of the list in its cursors. */
export const ALERT_LIST = "alerts";
export const ALERT_ID = /^alt_[0-9A-HJKMNP-TV-Z]{20}$/;

const alertStatus = z.enum(["open", "resolved"]);

const alertQuery = z.strictObject({
  ...ownerFields,
  status: alertStatus.optional(),
  kind: z.enum(ALERT_KINDS).optional(),
  ...pageFields(ALERT_LIST, z.string().regex(ALERT_ID)),
});

const alert = once(() =>
  z
    .strictObject({
      id: like(z.string().regex(ALERT_ID), EXAMPLE.alertId),
      kind: like(z.enum(ALERT_KINDS), "report_waiting"),
      title: like(z.string(), "A report has waited for over 15 minutes", "The kind in words."),
      status: like(alertStatus, "open"),
      subject: like(
        z.strictObject({ kind: z.enum(ALERT_SUBJECTS), id: z.string() }),
        { kind: "connection", id: EXAMPLE.connectionId },
        "The object that the alert is about. The id of `gateway` is empty.",
      ),
      owner_type: like(
        z.enum(OWNER_TYPES).nullable(),
        EXAMPLE.owner.owner_type,
        "Null if the alert concerns no single owner.",
      ),
      owner_id: like(z.string().nullable(), EXAMPLE.owner.owner_id),
      facts: like(
        z.record(z.string(), z.union([z.string(), z.number()])),
        { received_at: EXAMPLE.at },
        "Numbers and times as they were when the alert opened.",
      ),
      runbook: like(z.string(), "docs/runbook.md#report-waiting", "Where the runbook describes this kind."),
      opened_at: moment(EXAMPLE.later),
      resolved_at: moment().nullable(),
      acknowledged_at: moment().nullable(),
      acknowledged_by: z.string().nullable().meta({
        description:
          "`client:…` of a portal client, `access:…` of a person of Audit1, `person:…` or `link:…` of an owner's person in the console. `owner:` precedes it if the request acted for one owner.",
      }),
    })
    .meta({ id: "Alert" }),
);
export type AlertAnswer = z.infer<ReturnType<typeof alert>>;

const usability = () =>
  like(z.enum(["set", "unset", "unusable"]), "set", "`unusable`: set, but wrong. The log says why.");

const alertSettings = once(() =>
  z
    .strictObject({
      mail: z
        .strictObject({
          status: usability(),
          from: like(z.string().nullable(), "gateway@audit1.com", "`EMAIL_FROM`, without a name."),
          operators: like(z.string().nullable(), "operators@audit1.com", "`OPERATORS_EMAIL`."),
        })
        .meta({ description: "Without both addresses, mails wait." }),
      webhook: z
        .strictObject({
          status: usability(),
          url: like(
            z.string().nullable(),
            "hooks.example.com/alerts…",
            "`OPERATORS_WEBHOOK_URL`, masked. Its secret is never shown.",
          ),
        })
        .meta({ description: "Where events about alerts are posted." }),
    })
    .meta({ id: "AlertSettings" }),
);
export type ShownAlertSettings = z.infer<ReturnType<typeof alertSettings>>;

const contract = portalContracts("Operations");

export const getAlertSettings = contract({ query: z.strictObject({}) }, () => ({
  id: "getAlertSettings",
  summary: "Read where alerts are sent",
  description:
    "The gateway's settings for alerts, which a deployment changes. Only for a client that is bound to no owner.",
  answers: { 200: answer("The settings.", { alert_settings: alertSettings() }) },
  failures: [{ kind: "endpoint_not_found" }],
}));

export const listAlerts = contract({ query: alertQuery }, () => ({
  id: "listAlerts",
  summary: "List alerts",
  description:
    "Newest first. Each condition opens one alert, which resolves by itself and is kept for 90 days after that. Without an owner, a client that is bound to none sees all alerts; a bound client sees its owner's.",
  answers: { 200: page("A page of alerts.", "alerts", alert()) },
}));

export const acknowledgeAlert = contract({}, () => ({
  id: "acknowledgeAlert",
  summary: "Acknowledge an alert",
  description:
    "Records who looks after the alert. It changes nothing else: the alert resolves by itself. Repeats return the first acknowledgement, but the first one that acts for every owner replaces an owner's.",
  of: "alert",
  answers: { 200: answer("The alert.", { success: success(), alert: alert() }) },
}));
