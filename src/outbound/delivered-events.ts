/** Events as webhooks receive them, for the API document: the envelope, and the headers that sign a delivery. */

import * as z from "zod";
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from "zod-openapi";
import { EXAMPLE } from "../contract/examples.ts";
import { environment, moment, sequence } from "../contract/fields.ts";
import { USER_AGENT } from "./attempt.ts";
import { type DescribedEvent, EVENT_EXAMPLES } from "./event-examples.ts";

const EVENT_ID = "evt_01KMTQ3A40ZX8Q1V6N5T";

function envelope(type: string) {
  return z.strictObject({
    id: z.string().meta({ description: "The same in every attempt; use it to drop repeats." }),
    type: z.literal(type),
    timestamp: moment(),
    created_at: moment().meta({ description: "When it happened; the same as `timestamp`." }),
    data: z.record(z.string(), z.unknown()),
    metadata: z.strictObject({ source: z.string(), environment: environment(), sequence: sequence() }),
  });
}

const deliveryHeaders = z.object({
  "User-Agent": z.literal(USER_AGENT),
  "X-Webhook-Signature": z.string().meta({
    description:
      "Hex HMAC-SHA256, under the whole secret, of the timestamp, a dot and the exact bytes of the body.",
  }),
  "X-Webhook-Timestamp": z.string().meta({ description: "Unix milliseconds." }),
  "X-Webhook-Signature-Next": z
    .string()
    .optional()
    .meta({ description: "While a secret is being rotated: the same under the new secret." }),
  "Audit1-Signature": z.string().meta({
    description:
      '`t=<unix seconds>,v1=<hex of "t.body">`, two `v1` values while a secret is being rotated; `sha256=<hex of the body>` for a webhook with that signature format.',
  }),
  "webhook-id": z.string().meta({ description: "Standard Webhooks: the event's id." }),
  "webhook-timestamp": z.string().meta({ description: "Standard Webhooks: Unix seconds." }),
  "webhook-signature": z.string().meta({
    description:
      "Standard Webhooks: `v1,<base64>`, a list while a secret is being rotated. The key is the base64 after `whsec_`.",
  }),
});

const DESCRIPTION = [
  "Sent to the active webhooks of the event's owner and environment that subscribe to its type; events of a file also to the webhooks of the file's employer. Sent at least once. Deliveries may arrive in any order: `metadata.sequence` grows in the order in which the events were stored, and the events of one file are stored in the file's order.",
  "A 2xx response within ten seconds is a success. Redirects are not followed and count as failures. There are six retries: at once, and after 1 minute, 5 minutes, 30 minutes, 2 hours and 6 hours. 410 disables the webhook. `Retry-After` with 429 or 503 can only lengthen the wait.",
].join("\n\n");

function deliveryOf(type: string, { summary, data }: DescribedEvent): ZodOpenApiOperationObject {
  const value = {
    id: EVENT_ID,
    type,
    timestamp: EXAMPLE.at,
    created_at: EXAMPLE.at,
    data,
    metadata: { source: "gateway", environment: "production", sequence: EXAMPLE.sequence },
  };
  return {
    operationId: `event_${type.replace(".", "_")}`,
    tags: ["Outbound"],
    summary,
    description: DESCRIPTION,
    security: [],
    requestParams: { header: deliveryHeaders },
    requestBody: {
      required: true,
      content: { "application/json": { schema: envelope(type), examples: { event: { summary, value } } } },
    },
    responses: {
      "200": { description: "Accepted. Any 2xx will do; the body is ignored." },
      "410": { description: "The endpoint is gone; the webhook is disabled." },
      "503": { description: "Not now. The delivery is retried, as after any other response." },
    },
  };
}

/** The `webhooks` of the API document. */
export const deliveredEvents: ZodOpenApiPathsObject = Object.fromEntries(
  Object.entries(EVENT_EXAMPLES).map(([type, described]) => [type, { post: deliveryOf(type, described) }]),
);
