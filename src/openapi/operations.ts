/** What operators do: look at the audit trail, erase an owner, wrap data keys anew. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { EXAMPLE } from "../contract/examples.ts";
import { SUBJECT_KINDS } from "../db/schema.ts";
import { OWNER_TYPES } from "../model.ts";
import { auditQuery } from "../portal/audit-routes.ts";
import { NO_OWNER } from "../portal/owner.ts";
import { ownerPath } from "../portal/owner-data-routes.ts";
import { deletion } from "../portal/portal-contract.ts";
import { rewrapBody } from "../portal/rewrap-routes.ts";
import { moment, nextCursor, success } from "./fields.ts";
import { answer } from "./operation.ts";
import { OWNER, portalOperation, SUCCESS } from "./portal.ts";

const fields = z.record(z.string(), z.unknown()).nullable();
const auditEntry = z
  .strictObject({
    id: z.string(),
    at: moment,
    actor: z.string().meta({
      description: "`client:…` of a portal client, `access:…` of a person, `system:…` of the gateway itself.",
    }),
    action: z.string(),
    subject: z.strictObject({ kind: z.enum(SUBJECT_KINDS), id: z.string() }),
    owner_type: z.enum(OWNER_TYPES).nullable(),
    owner_id: z.string().nullable(),
    request_id: z.string(),
    before: fields.meta({ description: "The fields that changed, as they were. Never a secret." }),
    after: fields.meta({ description: "The same fields, as they are." }),
  })
  .meta({ id: "AuditEntry" });

const progress = z.int().nonnegative();

export const operationsPaths: ZodOpenApiPathsObject = {
  "/api/v1/audit": {
    get: portalOperation({
      id: "listAudit",
      tag: "Operations",
      summary: "Who changed what",
      description:
        "Newest first, for seven years. Without an owner everything, for a client that is bound to none; a bound one sees what concerns its owner.",
      query: auditQuery,
      answers: {
        200: {
          description: "A page of changes.",
          schema: z.strictObject({ audit: z.array(auditEntry), next_cursor: nextCursor }),
          example: {
            audit: [
              {
                id: "aud_01KMTQ3A40ZX8Q1V6N5T",
                at: EXAMPLE.later,
                actor: "client:portal",
                action: "connection.updated",
                subject: { kind: "connection", id: EXAMPLE.connectionId },
                ...EXAMPLE.owner,
                request_id: EXAMPLE.requestId,
                before: { status: "active" },
                after: { status: "inactive" },
              },
            ],
            next_cursor: null,
          },
        },
      },
      failures: OWNER,
    }),
  },
  "/api/v1/owners/{owner_type}/{owner_id}/data": {
    delete: portalOperation({
      id: "eraseOwnerData",
      tag: "Operations",
      summary: "Erase what is outbound of an owner",
      description:
        "Its webhooks are disabled at once. Seven days later its events are deleted, its webhooks, and its data key: no secret, header or kept answer opens any more, and what still waits is closed. Until then `erase=false` takes it back; the webhooks stay disabled. May be repeated. Connections and API keys are not touched.",
      path: ownerPath,
      query: deletion,
      answers: {
        200: answer(
          "`erase_at` says when it is erased; null for never, and where nothing outbound of it is kept.",
          {
            success: SUCCESS,
            erase_at: { schema: moment.nullable(), example: "2026-03-23T10:30:00.000Z" },
          },
        ),
      },
      failures: [NO_OWNER],
    }),
  },
  "/api/v1/vault/rewrap": {
    post: portalOperation({
      id: "rewrapDataKeys",
      tag: "Operations",
      summary: "Wrap data keys anew",
      description:
        "One step of wrapping all data keys under the first key of the ring. Send `next_cursor` as `cursor` until `done`; then the ring's other keys can be taken away. May be repeated and begun again. Only for a client that is bound to no owner.",
      body: {
        schema: rewrapBody,
        examples: { first: { summary: "The first step", value: { limit: 50 } } },
      },
      answers: {
        200: {
          description: "What the step did, and what is left.",
          schema: z.strictObject({
            success,
            ring_key: z.string().meta({ description: "The ring's first key, which wraps." }),
            rewrapped: progress,
            failed: progress.meta({ description: "Keys that no key of the ring opens." }),
            untold: progress.meta({
              description: "Gates that could not be told now; they are within a minute.",
            }),
            remaining: progress,
            done: z.boolean(),
            next_cursor: nextCursor,
          }),
          example: {
            success: true,
            ring_key: "v2",
            rewrapped: 12,
            failed: 0,
            untold: 0,
            remaining: 0,
            done: true,
            next_cursor: null,
          },
        },
      },
      failures: [{ kind: "not_found" }],
    }),
  },
};
