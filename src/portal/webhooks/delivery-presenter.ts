/** The form of a delivery in lists and answers. */
import type { Delivery } from "../../db/deliveries.ts";
import { storedAt } from "../../db/events.ts";
import { iso } from "../../http/iso.ts";
import { deliveryId } from "../../outbound/delivery-id.ts";
import type { ShownDelivery } from "./delivery-contract.ts";

export function presentDelivery(row: Delivery): ShownDelivery {
  return {
    id: deliveryId({ webhookId: row.webhook_id, eventSeq: row.event_seq }),
    webhookId: `wh_${row.webhook_id}`,
    eventId: row.event_id,
    eventType: row.event_type,
    timestamp: iso(row.event_created_at ?? storedAt(row.event_seq)),
    storedAt: iso(storedAt(row.event_seq)),
    status: row.status,
    responseCode: row.response_code,
    attempts: row.attempts,
    lastError: row.last_error,
    nextAttemptAt: iso(row.next_attempt_at),
    createdAt: iso(row.created_at),
    updatedAt: iso(row.updated_at),
  };
}
