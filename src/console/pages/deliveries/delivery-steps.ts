/** The way of a delivery, from its event to its end. */
import type { ShownDeliveryWithHistory } from "../../../portal/webhooks/delivery-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { Step } from "../../parts/lifecycle.tsx";
import { duration } from "../../parts/values.tsx";
import { outcomeMeaning, outcomeWords, unsentReason } from "./delivery-words.ts";

/** `webhook`: null if it was deleted or could not be read. `now` in ms. */
export function stepsOf(
  delivery: ShownDeliveryWithHistory,
  webhook: Pick<ListedWebhook, "status"> | null,
  now: number,
): Step[] {
  const { timestamp, storedAt, attempts, history } = delivery;
  const lost = attempts - history.length;
  return [
    { title: "Event happened", meaning: "good", at: timestamp },
    {
      title: "Stored",
      meaning: "good",
      at: storedAt,
      text: "The event was kept, and this delivery was made of it.",
    },
    ...(lost > 0
      ? [
          {
            title: lost === 1 ? "1 earlier attempt" : `${lost} earlier attempts`,
            meaning: "off" as const,
            at: null,
            text: "Only the newest attempts are kept.",
          },
        ]
      : []),
    ...history.map((attempt) => ({
      title: `Attempt ${attempt.number}: ${outcomeWords(attempt)}`,
      meaning: outcomeMeaning(attempt),
      at: attempt.startedAt,
      text: `Took ${duration(attempt.ms)}.`,
    })),
    lastStep(delivery, webhook, now),
  ];
}

function lastStep(
  { status, nextAttemptAt, updatedAt, lastError, retriesLeft, history }: ShownDeliveryWithHistory,
  webhook: Pick<ListedWebhook, "status"> | null,
  now: number,
): Step {
  switch (status) {
    case "delivered":
      return { title: "Delivered", meaning: "good", at: endOf(history) ?? updatedAt };
    case "failed":
      return {
        title: "Failed",
        meaning: "bad",
        at: updatedAt,
        text: `${unsentReason(lastError) ?? "No retry is left."} It can be sent again.`,
      };
    case "skipped":
      return {
        title: "Skipped",
        meaning: "off",
        at: updatedAt,
        text: unsentReason(lastError) ?? "Nothing was sent.",
      };
    case "pending":
    case "retrying":
      return { ...nextStep(nextAttemptAt, webhook, now, retriesLeft), isNext: true };
  }
}

function endOf(history: ShownDeliveryWithHistory["history"]): number | null {
  const last = history.at(-1);
  return last === undefined ? null : Date.parse(last.startedAt) + last.ms;
}

function nextStep(
  nextAttemptAt: string | null,
  webhook: Pick<ListedWebhook, "status"> | null,
  now: number,
  retriesLeft: number,
): Step {
  const title = "Next attempt";
  if (webhook?.status === "paused")
    return {
      title,
      meaning: "waiting",
      at: null,
      text: "The webhook is paused. It is sent when the webhook is resumed.",
    };
  const waitMs = nextAttemptAt === null ? 0 : Date.parse(nextAttemptAt) - now;
  const after = retriesLeft - 1;
  const left = after > 0 ? `, and up to ${after} more if it fails` : ", the last one";
  return {
    title,
    meaning: "waiting",
    at: nextAttemptAt,
    text:
      waitMs > 0
        ? `Due in ${duration(waitMs)}${left}.`
        : `Due now${left}. It is sent as soon as its endpoint is free.`,
  };
}
