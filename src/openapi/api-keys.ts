/** Bearer keys of the developer API, as the portal manages them. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { EXAMPLE } from "../contract/examples.ts";
import { ERASED, keyPatch, keyQuery, newKey } from "../portal/api-keys/api-key-routes.ts";
import { notFound } from "../portal/change.ts";
import { deletion } from "../portal/connections/connection-requests.ts";
import { apiKeyIdInPath, environment, ifMatch, moment, objectId, owner, plan, version } from "./fields.ts";
import { always, answer, page } from "./operation.ts";
import {
  CREATION,
  created,
  creationHeaders,
  NO_CHOICE_OF_PLAN,
  OWNER,
  overtaken,
  portalOperations,
  VERSIONED,
} from "./portal.ts";

const apiKey = z
  .strictObject({
    _id: objectId,
    id: z.string().meta({ description: "`ak_` and the same." }),
    key: z.string().meta({ description: "The first characters of the key, to recognise it by." }),
    environment,
    plan,
    ...owner,
    is_active: z.boolean(),
    last_used_at: moment.nullable().meta({ description: "To within an hour or so; null until it was used." }),
    version,
    created_at: moment,
    updated_at: moment,
  })
  .meta({ id: "ApiKey" });

const shown = {
  schema: apiKey,
  example: {
    _id: EXAMPLE.apiKeyId,
    id: `ak_${EXAMPLE.apiKeyId}`,
    key: "audit1_live_sk_ab12…",
    environment: "production",
    plan: "production",
    ...EXAMPLE.owner,
    is_active: true,
    last_used_at: null,
    version: EXAMPLE.version,
    created_at: EXAMPLE.at,
    updated_at: EXAMPLE.at,
  },
};
const secret = {
  schema: z.string().regex(/^audit1_(test|live)_sk_[A-Za-z0-9]{32}$/),
  example: "audit1_live_sk_ab12cd34ef56gh78ij90kl12mn34op56",
};

const operation = portalOperations("API keys");
const path = z.object({ api_key_id: apiKeyIdInPath });
const NOT_FOUND = notFound("api_key");
const NO_ENVIRONMENT = {
  kind: "portal",
  status: 400,
  error: "environment_required",
  message: "The environment field is required",
} as const;

export const apiKeyPaths: ZodOpenApiPathsObject = {
  "/api/v1/api-keys": {
    post: operation({
      id: "createApiKey",
      summary: "Create a key",
      description:
        "Answers the bearer key, this once, and to repeats under the same `Idempotency-Key` for 24 hours. It is stored as a hash.",
      header: creationHeaders,
      body: {
        schema: newKey,
        examples: {
          production: {
            summary: "For production",
            value: { ...EXAMPLE.owner, environment: "production" },
          },
        },
      },
      answers: {
        201: created("The key. `secret` is the bearer token.", { apiKey: shown }, secret),
      },
      failures: [...OWNER, ...CREATION, NO_CHOICE_OF_PLAN, NO_ENVIRONMENT],
    }),
    get: operation({
      id: "listApiKeys",
      summary: "List an owner's keys",
      description: "Newest first; the active ones, unless told otherwise. No list shows a key itself.",
      query: keyQuery,
      answers: { 200: page("A page of keys.", "apiKeys", shown) },
      failures: OWNER,
    }),
  },
  "/api/v1/api-keys/{api_key_id}": {
    get: operation({
      id: "getApiKey",
      summary: "Read a key",
      description: "Shows what it is recognised by, never the key itself.",
      path,
      answers: { 200: answer("The key.", { apiKey: shown }, VERSIONED) },
      failures: [NOT_FOUND],
    }),
    patch: operation({
      id: "changeApiKey",
      summary: "Change a key",
      description: "Turns it on or off, or changes its plan. In force everywhere when it is answered.",
      path,
      header: ifMatch,
      body: {
        schema: keyPatch,
        examples: { activate: { summary: "Turn it on again", value: { is_active: true } } },
      },
      answers: { 200: answer("The key as it is now.", { apiKey: shown }, VERSIONED) },
      failures: [NOT_FOUND, NO_CHOICE_OF_PLAN, ERASED, overtaken("api_key")],
    }),
    delete: operation({
      id: "deactivateApiKey",
      summary: "Deactivate a key",
      description:
        "Refused everywhere from the answer on. Can be turned on again; may be repeated. With `erase=true` all that came under the key is erased seven days later, and the key is never turned on again; until then `erase=false` takes that back.",
      path,
      header: ifMatch,
      query: deletion,
      answers: {
        200: answer("It is off. `erase_at` says when what came under it is erased.", {
          message: always("api_key_deleted"),
          erase_at: { schema: moment.nullable().optional(), example: "2026-03-23T10:30:00.000Z" },
        }),
      },
      failures: [NOT_FOUND, overtaken("api_key")],
    }),
  },
};
