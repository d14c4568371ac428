/** Decides by its form what an id may name. Pure. */
import { parseFileId } from "../../gate/file-id.ts";
import { parseRequestId, type RequestId } from "../../http/request-id.ts";
import { API_KEY_PREFIX, objectIdOf, parseWebhookId } from "../../model.ts";
import { type DeliveryKey, parseDeliveryId } from "../../outbound/delivery-id.ts";

export type LookupForm =
  | { form: "request"; request: RequestId }
  | { form: "file"; file: NonNullable<ReturnType<typeof parseFileId>> }
  | { form: "delivery"; key: DeliveryKey }
  | { form: "webhook" | "api_key"; id: string }
  /** 24 hex digits: a connection, or the bare id of another object. */
  | { form: "object"; id: string }
  | { form: "event"; id: string }
  /** An event whose reporter chose an id without a prefix, or an employer. */
  | { form: "chosen"; id: string };

/** The longest ids that callers choose are those of events. */
const CHOSEN = /^[A-Za-z0-9_-]{1,128}$/;
const EVENT_PREFIX = "evt_";

/** Null for a text that no id can be. */
export function formOf(text: string): LookupForm | null {
  const request = parseRequestId(text);
  if (request !== null) return { form: "request", request };
  if (!CHOSEN.test(text)) return null;
  const file = parseFileId(text);
  if (file !== null) return { form: "file", file };
  const key = parseDeliveryId(text);
  if (key !== null) return { form: "delivery", key };
  const id = objectIdOf(text, "");
  if (id !== null) return { form: "object", id };
  const webhookId = parseWebhookId(text);
  if (webhookId !== null) return { form: "webhook", id: webhookId };
  const keyId = objectIdOf(text, API_KEY_PREFIX);
  if (keyId !== null) return { form: "api_key", id: keyId };
  return { form: text.startsWith(EVENT_PREFIX) ? "event" : "chosen", id: text };
}
