/** The contract of the catalogue of event types. */
import * as z from "zod";
import { answer, once } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { webhookId } from "../../contract/fields.ts";
import { WEBHOOK_STATUSES } from "../../db/schema.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { EVENT_TYPES } from "../../outbound/event-types.ts";
import { DEFAULT_ENVIRONMENT, ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";

/** The most webhooks that a type shows. */
export const MAX_SHOWN = 20;

const typeQuery = z.strictObject({
  ...ownerFields,
  environment: z
    .enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` })
    .default(DEFAULT_ENVIRONMENT)
    .meta({ description: "Of the webhooks." }),
});

const subscriber = once(() =>
  z.strictObject({
    id: webhookId(),
    url_masked: like(z.string(), "hooks.acme-payroll.com/audit1/i…"),
    status: like(z.enum(WEBHOOK_STATUSES), "active"),
    pattern: like(z.string(), "file.*", "The entry of `events` that subscribes to the type."),
  }),
);

const eventType = once(() =>
  z
    .strictObject({
      type: like(z.enum(EVENT_TYPES), "file.processed"),
      summary: like(z.string(), "A file was created"),
      reported_by: like(
        z.enum(["gateway", "files-creator", "services"]),
        "files-creator",
        "Who reports events of the type: the gateway itself, the files-creator, or Audit1's other services. The gateway and the files-creator both report `file.failed`.",
      ),
      example: like(
        z.record(z.string(), z.unknown()),
        { fileId: EXAMPLE.fileId, status: "processed", recordsTotal: 1 },
        "The `data` of such an event.",
      ),
      test_data: like(
        z.record(z.string(), z.unknown()),
        { fileId: EXAMPLE.fileId, test: { emoji: "✅ 🧾", share: 0.1 } },
        "The `data` of a test of the type.",
      ),
      schema: like(
        z.record(z.string(), z.unknown()),
        { type: "object", properties: { fileId: { type: "string" }, recordsTotal: { type: "number" } } },
        "JSON Schema of the usual fields of `data`. It passes through as it was reported, so fields may be added or absent.",
      ),
      webhook_count: z
        .int()
        .nonnegative()
        .nullable()
        .meta({ description: "The owner's webhooks that subscribe to the type; null if no owner is named." }),
      webhooks: z.array(subscriber()).meta({ description: `The first ${MAX_SHOWN} of them, newest first.` }),
    })
    .meta({ id: "EventType" }),
);
export type ShownEventType = z.infer<ReturnType<typeof eventType>>;

export const listEventTypes = portalContracts("Events")({ query: typeQuery }, () => ({
  id: "listEventTypes",
  summary: "List the event types",
  description:
    "The catalogue, in its order. If an owner is named, each type says which of the owner's webhooks subscribe to it, whatever their status.",
  answers: { 200: answer("The catalogue.", { event_types: z.array(eventType()) }) },
}));
