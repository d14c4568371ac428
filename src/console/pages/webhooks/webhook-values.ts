/** The settings of a webhook as a form holds them, and as the API takes them. */
import { newObjectId } from "../../../crypto/ids.ts";
import { DEFAULT_IN_FLIGHT, type ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";

/** Headers are replaced as a whole: their values are never shown again. */
const HEADER_CHOICES = ["keep", "replace", "none"] as const;
export type HeaderChoice = (typeof HEADER_CHOICES)[number];

/** Every value is a text, as it was typed. */
export interface WebhookValues {
  url: string;
  events: string[];
  description: string;
  email: string;
  format: string;
  inFlight: string;
  perMinute: string;
  headerChoice: HeaderChoice;
  /** A `Name: value` a line. */
  headers: string;
}

export const EVENT_FIELD = "event:";

export function emptyValues(): WebhookValues {
  return {
    url: "",
    events: [],
    description: "",
    email: "",
    format: "timestamped",
    inFlight: String(DEFAULT_IN_FLIGHT),
    perMinute: "",
    headerChoice: "keep",
    headers: "",
  };
}

export function valuesOfWebhook(webhook: ShownWebhook): WebhookValues {
  return {
    url: webhook.url ?? "",
    events: webhook.events,
    description: webhook.description ?? "",
    email: webhook.notification_email ?? "",
    format: webhook.signature_format,
    inFlight: String(webhook.max_in_flight),
    perMinute: webhook.max_per_minute === null ? "" : String(webhook.max_per_minute),
    headerChoice: "keep",
    headers: "",
  };
}

/** Reads a posted form. Fields that are missing count as empty. */
export function valuesOfForm(form: Record<string, string>): WebhookValues {
  const text = (name: string) => form[name]?.trim() ?? "";
  return {
    url: text("url"),
    events: Object.keys(form).flatMap((name) =>
      name.startsWith(EVENT_FIELD) ? [name.slice(EVENT_FIELD.length)] : [],
    ),
    description: text("description"),
    email: text("notification_email"),
    format: text("signature_format"),
    inFlight: text("max_in_flight"),
    perMinute: text("max_per_minute"),
    headerChoice: HEADER_CHOICES.find((each) => each === text("header_choice")) ?? "keep",
    headers: form.headers ?? "",
  };
}

/** What the API takes: `isNew` for a creation, which has no fields to keep. Empty texts are null. */
export function bodyOf(values: WebhookValues, isNew: boolean): Record<string, unknown> {
  const { url, events, description, email, format, inFlight, perMinute } = values;
  const headers = headersOf(values, isNew);
  return {
    url,
    events,
    description: description || null,
    notification_email: email || null,
    signature_format: format,
    max_in_flight: numberOr(inFlight),
    max_per_minute: perMinute === "" ? null : numberOr(perMinute),
    ...(headers !== undefined && { headers }),
  };
}

/** What is not a number stays a text, for the API to refuse. */
function numberOr(text: string): number | string {
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}

/** Undefined if they stay as they are. */
function headersOf({ headerChoice, headers }: WebhookValues, isNew: boolean) {
  if (isNew ? headers.trim() === "" : headerChoice === "keep") return undefined;
  if (headerChoice === "none" && !isNew) return null;
  return Object.fromEntries(linesOf(headers));
}

function linesOf(text: string): [name: string, value: string][] {
  return text
    .split(/\r\n|\r|\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const colon = line.indexOf(":");
      return colon === -1 ? [line.trim(), ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
}

/** A header that is named twice would lose a value without a word. Null if there is none. */
export function repeatedHeader({ headers }: WebhookValues): string | null {
  const names = linesOf(headers).map(([name]) => name.toLowerCase());
  return names.find((name, i) => names.indexOf(name) < i) ?? null;
}

/** A repeated post creates nothing more. */
export function newKey(): string {
  return `webhook-${newObjectId()}`;
}
