/** A delivery with its attempts, as an answer shows it: what was sent, apart from secrets and the event itself, and what came back. */
import { eventDataContext } from "../../crypto/contexts.ts";
import type { DeliveryWithHistory } from "../../db/deliveries.ts";
import { storedAt } from "../../db/events.ts";
import { findOwnerKey, type OwnerKey, tryUnsealText } from "../../db/owner-keys.ts";
import type { Webhook } from "../../db/webhooks.ts";
import { parseFileId } from "../../gate/file-id.ts";
import type { AppContext } from "../../http/context.ts";
import { iso } from "../../http/iso.ts";
import { OWN_REQUEST_HEADERS } from "../../outbound/attempt.ts";
import { fileOfEvent } from "../../outbound/file-event-id.ts";
import { ATTEMPTS_PER_DELIVERY } from "../../outbound/retry-schedule.ts";
import { unsealAnswer } from "../../outbound/sealed-attempt.ts";
import { identifyingHeaders } from "../../outbound/signing.ts";
import type { ShownAttempt, ShownDeliveryWithHistory } from "./delivery-contract.ts";
import { presentDelivery } from "./delivery-presenter.ts";

export interface FoundDelivery {
  webhook: Webhook;
  delivery: DeliveryWithHistory;
}

export async function presentWithHistory(
  c: AppContext,
  { webhook, delivery }: FoundDelivery,
): Promise<ShownDeliveryWithHistory> {
  const owner = { type: webhook.owner_type, id: webhook.owner_id };
  const found = await findOwnerKey(c.env.DB, c.get("settings").keyRing, owner);
  const opened = (attempt: DeliveryWithHistory["history"][number]) => {
    // An attempt from before the owner's key was created is sealed under a key that has been erased.
    if (found === null || attempt.started_at < found.createdAt) return { answer: null, headers: null };
    return unsealAnswer(found.key, { webhookId: webhook.id, eventSeq: delivery.event_seq }, attempt);
  };
  const history = await Promise.all(
    delivery.history.map(async (attempt) => {
      // Delivery stored this value, so it is one of the outcomes.
      const outcome = attempt.kind as ShownAttempt["outcome"];
      return {
        number: attempt.number,
        startedAt: iso(attempt.started_at),
        requestHeaders: SENT_NOTHING.has(outcome) ? null : requestHeaders(delivery, attempt.started_at),
        ms: attempt.ms,
        outcome,
        responseCode: attempt.status,
        tlsCause: (attempt.tls_cause ?? null) as ShownAttempt["tlsCause"],
        ...(await opened(attempt)),
      };
    }),
  );
  const fileId = await fileOf(found, webhook, delivery);
  const tried = delivery.attempts - delivery.round_start;
  const retriesLeft = delivery.next_attempt_at === null ? 0 : ATTEMPTS_PER_DELIVERY - tried;
  return { ...presentDelivery(delivery), fileId, retriesLeft, history };
}

const SENT_NOTHING: ReadonlySet<ShownAttempt["outcome"]> = new Set(["blocked", "internal"]);

function requestHeaders({ event_id: id }: DeliveryWithHistory, startedAt: number): Record<string, string> {
  const all = { ...OWN_REQUEST_HEADERS, ...identifyingHeaders(id ?? "", startedAt) };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, value]) => value !== "")
      .map(([name, value]) => [name.toLowerCase(), value]),
  );
}

/** The file that the event is about: the event's id names it, or its data does. */
async function fileOf(
  found: OwnerKey | null,
  { environment }: Webhook,
  { event_seq, event_id, file_event_data: data }: DeliveryWithHistory,
): Promise<string | null> {
  if (event_id === null || data === null) return null;
  const named = fileOfEvent(event_id);
  if (named !== null || found === null || storedAt(event_seq) < found.createdAt) return named;
  const text = await tryUnsealText(found.key, data, eventDataContext(environment, event_id));
  const { fileId } = text === null ? {} : (JSON.parse(text) as { fileId?: unknown });
  return typeof fileId === "string" && parseFileId(fileId) !== null ? fileId : null;
}
