/** Events: told by Audit1's services and the files-creator, read back by their owner. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { RATE_LIMITED } from "../contract/error-answers.ts";
import { EXAMPLE } from "../contract/examples.ts";
import { KEY } from "../developer/developer-contract.ts";
import type { Failure } from "../http/failure.ts";
import { EVENT_TYPES } from "../outbound/event-types.ts";
import {
  event,
  eventBatch,
  eventQuery,
  MAX_DATA_BYTES,
  MAX_EVENTS_BYTES,
  MAX_EVENTS_VALUES,
} from "../portal/events/event-requests.ts";
import { REUSED } from "../portal/events/event-routes.ts";
import { environment, fileId, fileStatus, moment, nextCursor, sequence } from "./fields.ts";
import { operation } from "./operation.ts";
import { OWNER, portalOperation } from "./portal.ts";

const taken = z.strictObject({
  success: z.literal(true),
  id: z.string(),
  duplicate: z.boolean().meta({ description: "The event was known before." }),
  file_id: fileId.optional(),
  status: fileStatus.optional().meta({ description: "Of the file that the event is about." }),
});
const refused = z.strictObject({
  success: z.literal(false),
  id: z.string(),
  status: z.int(),
  error: z.string(),
  code: z.string(),
  message: z.string(),
});

/** An event as its owner reads it: the envelope that webhooks get, and when it was stored. */
const stored = z
  .strictObject({
    id: z.string(),
    type: z.enum(EVENT_TYPES),
    timestamp: moment,
    created_at: moment.meta({ description: "When it happened; the same as `timestamp`." }),
    data: z.record(z.string(), z.unknown()),
    metadata: z.strictObject({ source: z.string(), environment, sequence }),
    received_at: moment.meta({ description: "When it was stored: what `since` is about." }),
  })
  .meta({ id: "Event" });

const FILE_EVENT = {
  id: "evt_0G5ENQ5XTX",
  type: "file.processed",
  timestamp: EXAMPLE.later,
  data: { fileId: EXAMPLE.fileId, recordsTotal: 1, recordsProcessed: 1, recordsFailed: 0 },
};
const POLICY_EVENT = {
  id: "evt_policy_1",
  type: "policy.renewed",
  ...EXAMPLE.owner,
  environment: "production",
  metadata: { source: "policies" },
  data: { policyNumber: "WC1025561", employerId: EXAMPLE.employerId },
};

const INVALID: Failure = {
  kind: "validation",
  message: "The request has invalid fields.",
  details: { limit: "Must be at most 100" },
};

/** Both doors lead to the list: a bearer key's owner and environment are its own, a portal client names them. */
const list = operation({
  id: "listEvents",
  tag: "Events",
  summary: "Read events back",
  description:
    "In the order in which they were stored, those among them that no webhook took. A bearer key reads its owner's events of its own environment, and may say no owner and no environment; a portal client names the owner unless it is bound to one, and reads production unless it names another environment.",
  access: "either",
  query: eventQuery,
  answers: {
    200: {
      description: "A page of events.",
      schema: z.strictObject({ events: z.array(stored), next_cursor: nextCursor }),
      example: {
        events: [
          {
            id: POLICY_EVENT.id,
            type: POLICY_EVENT.type,
            timestamp: EXAMPLE.at,
            created_at: EXAMPLE.at,
            data: POLICY_EVENT.data,
            metadata: { source: "policies", environment: "production", sequence: EXAMPLE.sequence },
            received_at: EXAMPLE.later,
          },
        ],
        next_cursor: null,
      },
      sometimes: ["rate"],
    },
  },
  failures: [
    { kind: "portal_unauthenticated" },
    { kind: "portal_only" },
    ...KEY,
    INVALID,
    ...OWNER,
    RATE_LIMITED,
  ],
  failureHeaders: ["rate"],
});

export const eventPaths: ZodOpenApiPathsObject = {
  "/api/v1/events": {
    post: portalOperation({
      id: "reportEvent",
      tag: "Events",
      summary: "Tell of an event, or of several",
      description: `Safe to repeat: an event counts once per owner, and once per file. Its \`id\` is yours to choose, without dots and not of a form that the gateway's own events have (\`evt_uploaded_\`, \`evt_failed_\`, \`evt_test_\`, \`evt_gateway_\`). What the files-creator reports (\`file.*\` with \`data.fileId\`) moves the file, forwards only: queued, processing, then completed or failed; its owner comes from the file, and it goes to the webhooks of that owner and of the file's employer, after what the file still owes them: 503 until that is stored. Every other event names its owner; it is of production unless it says otherwise. \`data\` has at most ${MAX_DATA_BYTES} bytes and is passed on as it was given. Several events are answered one by one in \`results\`: 202 where at least one was taken, and \`success\` says whether all were; else 503 if any may be repeated, or the first one's status. A body has at most ${MAX_EVENTS_BYTES} bytes and ${MAX_EVENTS_VALUES} JSON values.`,
      body: {
        schema: z.union([event, eventBatch]),
        examples: {
          file: { summary: "A file was made", value: FILE_EVENT },
          other: { summary: "An event of another kind", value: POLICY_EVENT },
          several: {
            summary: "Several at once",
            value: { events: [{ ...POLICY_EVENT, id: "evt_policy_2" }] },
          },
        },
      },
      answers: {
        202: {
          description: "They are known.",
          schema: z.union([
            taken,
            z.strictObject({ success: z.boolean(), results: z.array(z.union([taken, refused])) }),
          ]),
          example: {
            success: true,
            id: FILE_EVENT.id,
            file_id: EXAMPLE.fileId,
            status: "completed",
            duplicate: false,
          },
        },
      },
      failures: [
        ...OWNER,
        { kind: "portal", status: 404, error: "file_not_found", message: "No such file." },
        REUSED,
      ],
    }),
    get: list,
  },
};
