/** The filters of the list of deliveries. They are parameters of the page's address, named as the API names them. */
import { DELIVERY_CHOICES } from "../../../portal/webhooks/delivery-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiQuery } from "../../api.ts";
import { stateOf } from "../../parts/badge.tsx";
import { type Filter, instantOf } from "../../parts/filters.tsx";
import { errorWords } from "./delivery-words.ts";

/** `webhooks`: to choose from; null where there are too many, or where they could not be read. */
export function filtersOf(webhooks: readonly ListedWebhook[] | null): Filter[] {
  const { statuses, types, errors } = DELIVERY_CHOICES;
  return [
    {
      name: "webhook_id",
      label: "Webhook",
      placeholder: "wh_…",
      ...(webhooks !== null && {
        options: webhooks.map((webhook) => ({ value: webhook.id, label: nameOf(webhook) })),
      }),
    },
    {
      name: "status",
      label: "Status",
      options: statuses.map((value) => ({ value, label: stateOf(value).word })),
    },
    { name: "type", label: "Type", options: types.map((value) => ({ value, label: value })) },
    { name: "response_code", label: "Response code", type: "number", placeholder: "503" },
    {
      name: "error",
      label: "Last error",
      options: errors.map((value) => ({
        value,
        label: value === "status" ? "Any HTTP status" : errorWords(value),
      })),
    },
    { name: "since", label: "Since (UTC)", type: "datetime-local" },
    { name: "until", label: "Until (UTC)", type: "datetime-local" },
  ];
}

/** The same filters for the API. */
export function filterQuery(query: URLSearchParams): ApiQuery {
  return {
    webhook_id: query.get("webhook_id"),
    status: query.get("status"),
    type: query.get("type"),
    response_code: query.get("response_code"),
    error: query.get("error"),
    since: instantOf(query.get("since")),
    until: instantOf(query.get("until")),
  };
}

/** What people call a webhook: its description, else its masked address. */
export function nameOf({
  description,
  url_masked,
}: Pick<ListedWebhook, "description" | "url_masked">): string {
  return description || url_masked;
}
