/**
 * Ids in the API. A webhook's id is `wh_` and 24 hex digits; a delivery's is `del_`, its webhook's digits, and its event's sequence
 * number in Crockford's base32. A webhook receives an event at most once, so the two identify the delivery.
 */
import { integerFromBase32, integerToBase32 } from "../crypto/encoding.ts";

/** 55 bits. */
const SEQ_DIGITS = 11;
const DELIVERY_ID = /^del_([0-9a-f]{24})([0-9A-HJKMNP-TV-Z]{11})$/;

export interface DeliveryKey {
  webhookId: string;
  eventSeq: number;
}

export function deliveryId({ webhookId, eventSeq }: DeliveryKey): string {
  return `del_${webhookId}${integerToBase32(eventSeq, SEQ_DIGITS)}`;
}

export function parseDeliveryId(text: string): DeliveryKey | null {
  const [, webhookId, digits] = DELIVERY_ID.exec(text) ?? [];
  if (webhookId === undefined || digits === undefined) return null;
  const eventSeq = integerFromBase32(digits);
  return Number.isSafeInteger(eventSeq) ? { webhookId, eventSeq } : null;
}
