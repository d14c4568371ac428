/** How the portal shows where alerts are sent. */
import { type Settings, settingOr } from "../../env.ts";
import { maskUrl } from "../../outbound/url-policy.ts";
import type { ShownAlertSettings } from "./alert-contract.ts";

const UNUSABLE = "unusable";

type AlertSettings = Pick<Settings, "emailFrom" | "operatorsEmail" | "operatorsWebhook">;

/** Never shows a secret, nor the part of an address that may be one. */
export function shownSettings(settings: AlertSettings): ShownAlertSettings {
  const from = settingOr(() => settings.emailFrom, UNUSABLE);
  const operators = settingOr(() => settings.operatorsEmail, UNUSABLE);
  const webhook = settingOr(() => settings.operatorsWebhook, UNUSABLE);
  return {
    mail: {
      status: from === UNUSABLE || operators === UNUSABLE ? UNUSABLE : "set",
      from: from === UNUSABLE ? null : typeof from === "string" ? from : from.email,
      operators: operators === UNUSABLE ? null : operators,
    },
    webhook: {
      status: webhook === UNUSABLE ? UNUSABLE : webhook === null ? "unset" : "set",
      url: webhook === UNUSABLE || webhook === null ? null : maskUrl(webhook.url),
    },
  };
}
