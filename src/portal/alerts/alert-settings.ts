/** How the portal shows where alerts are sent. */
import { ConfigurationError, type Settings } from "../../env.ts";
import { maskUrl } from "../../outbound/url-policy.ts";
import type { ShownAlertSettings } from "./alert-contract.ts";

type AlertSettings = Pick<Settings, "emailFrom" | "operatorsEmail" | "operatorsWebhook">;

/** Never shows a secret, nor the part of an address that may be one. */
export function shownSettings(settings: AlertSettings): ShownAlertSettings {
  const from = readable(() => settings.emailFrom);
  const operators = readable(() => settings.operatorsEmail);
  const webhook = readable(() => settings.operatorsWebhook);
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

const UNUSABLE = "unusable";

function readable<Value>(read: () => Value): Value | typeof UNUSABLE {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigurationError) return UNUSABLE;
    throw error;
  }
}
