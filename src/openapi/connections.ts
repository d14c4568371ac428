/** Inbound connections, as the portal manages them. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { EXAMPLE } from "../contract/examples.ts";
import { notFound } from "../portal/change.ts";
import {
  connectionPatch,
  connectionQuery,
  deletion,
  newConnection,
  rotation,
} from "../portal/connections/connection-requests.ts";
import { TOO_MANY_SECRETS } from "../portal/connections/connection-routes.ts";
import {
  connectionIdInPath,
  environment,
  ifMatch,
  moment,
  objectId,
  owner,
  plan,
  version,
} from "./fields.ts";
import { always, answer, page } from "./operation.ts";
import {
  CREATION,
  created,
  creationHeaders,
  NO_CHOICE_OF_PLAN,
  OWNER,
  overtaken,
  portalOperations,
  SUCCESS,
  VERSIONED,
} from "./portal.ts";

const connection = z
  .strictObject({
    id: objectId,
    type: z.string(),
    ...owner,
    status: z.enum(["active", "inactive"]),
    plan,
    environment,
    employer_id: z.string().nullable().meta({ description: "The one employer it speaks for; null for any." }),
    default_wait_seconds: z.int(),
    same_body: z.enum(["accept", "deduplicate"]),
    retention_years: z.int(),
    description: z.string().nullable(),
    version,
    url: z.url().meta({ description: "Where its reports are sent." }),
    secrets: z
      .array(z.strictObject({ id: objectId, created_at: moment, expires_at: moment.nullable() }))
      .meta({ description: "Those in force, the newest first. What they are is never shown again." }),
    created_at: moment,
    updated_at: moment,
  })
  .meta({ id: "Connection" });

const shown = {
  schema: connection,
  example: {
    id: EXAMPLE.connectionId,
    type: "webhook",
    ...EXAMPLE.owner,
    status: "active",
    plan: "production",
    environment: "production",
    employer_id: EXAMPLE.employerId,
    default_wait_seconds: 0,
    same_body: "accept",
    retention_years: 7,
    description: "Payroll of Acme Manufacturing",
    version: EXAMPLE.version,
    url: `https://webhooks.audit1.com/api/v1/webhook/inbound/${EXAMPLE.connectionId}`,
    secrets: [{ id: "65f0c0ffee0123456789abcd", created_at: EXAMPLE.at, expires_at: null }],
    created_at: EXAMPLE.at,
    updated_at: EXAMPLE.at,
  },
};
const secret = {
  schema: z.string().meta({ description: "Signs reports. Shown this once." }),
  example: "whsec_3u1JX0Zq8yBv5cR7nT2mK9pL4wE6sA0dF1gH8jQzXcV",
};

const operation = portalOperations("Connections");
const path = z.object({ connection_id: connectionIdInPath });
const NOT_FOUND = notFound("connection");
const NO_EMPLOYER = {
  kind: "portal",
  status: 404,
  error: "employer_not_found",
  message: "No such employer is granted to this owner.",
  details: { employer_id: "No such employer is granted to this owner." },
} as const;

export const connectionPaths: ZodOpenApiPathsObject = {
  "/api/v1/connections": {
    post: operation({
      id: "createConnection",
      summary: "Create a connection",
      description:
        "Answers the URL that reports are sent to and the secret that signs them. The secret is shown this once, and to repeats under the same `Idempotency-Key`.",
      header: creationHeaders,
      body: {
        schema: newConnection,
        examples: {
          bound: {
            summary: "For one employer",
            value: {
              ...EXAMPLE.owner,
              employer_id: EXAMPLE.employerId,
              plan: "production",
              environment: "production",
              description: "Payroll of Acme Manufacturing",
            },
          },
          sandbox: { summary: "For trying out", value: { ...EXAMPLE.owner } },
        },
      },
      answers: {
        201: created("The connection and its secret.", { success: SUCCESS, connection: shown }, secret),
      },
      failures: [...OWNER, ...CREATION, NO_CHOICE_OF_PLAN, NO_EMPLOYER],
    }),
    get: operation({
      id: "listConnections",
      summary: "List an owner's connections",
      description:
        "Newest first. A page with a filter may be shorter than its limit, and the list still go on.",
      query: connectionQuery,
      answers: { 200: page("A page of connections.", "connections", shown) },
      failures: OWNER,
    }),
  },
  "/api/v1/connections/{connection_id}": {
    get: operation({
      id: "getConnection",
      summary: "Read a connection",
      description: "Shows everything but secrets.",
      path,
      answers: { 200: answer("The connection.", { connection: shown }, VERSIONED) },
      failures: [NOT_FOUND],
    }),
    patch: operation({
      id: "changeConnection",
      summary: "Change a connection",
      description:
        "Changes the fields that are named. Answered when the change is in force everywhere: from then on an inactive connection is refused, cached or not. After a 503, send the same request again.",
      path,
      header: ifMatch,
      body: {
        schema: connectionPatch,
        examples: {
          deactivate: { summary: "Take no more reports", value: { status: "inactive" } },
          settings: {
            summary: "Hold answers, and treat an equal body within the hour as a repeat",
            value: { default_wait_seconds: 5, same_body: "deduplicate" },
          },
        },
      },
      answers: {
        200: answer(
          "The connection as it is now, in force everywhere.",
          { success: SUCCESS, connection: shown },
          VERSIONED,
        ),
      },
      failures: [NOT_FOUND, NO_CHOICE_OF_PLAN, NO_EMPLOYER, overtaken("connection")],
    }),
    delete: operation({
      id: "deleteConnection",
      summary: "Delete a connection, or erase it",
      description:
        "Takes no more reports from the answer on. With `erase=true` its data key is deleted seven days later, and with it everything that rests under it; until then `erase=false` takes the erasure back. May be repeated.",
      path,
      query: deletion,
      header: ifMatch,
      answers: {
        200: answer("It is deleted. `erase_at` says when it is erased; null for never.", {
          message: always("connection_deleted"),
          erase_at: { schema: moment.nullable(), example: null },
        }),
      },
      failures: [NOT_FOUND, overtaken("connection")],
    }),
  },
  "/api/v1/connections/{connection_id}/rotate-secret": {
    post: operation({
      id: "rotateConnectionSecret",
      summary: "Make a new secret",
      description: "The old secrets go on for the overlap, a day unless told otherwise; 0 ends them at once.",
      path,
      header: ifMatch,
      body: {
        schema: rotation,
        examples: {
          usual: { summary: "A day for the sender to switch", value: {} },
          leaked: { summary: "The old secret is known to others", value: { overlap_seconds: 0 } },
        },
      },
      answers: {
        200: answer(
          "The connection and its new secret.",
          { success: SUCCESS, connection: shown, secret },
          VERSIONED,
        ),
      },
      failures: [NOT_FOUND, TOO_MANY_SECRETS, overtaken("connection")],
    }),
  },
};
