/** Bearer keys of the developer API, as the portal manages them. */
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { keyPatch, keyQuery, newKey } from "../portal/api-keys.ts";
import { notFound } from "../portal/change.ts";
import {
  apiKeyIdInPath,
  EXAMPLE,
  environment,
  ifMatch,
  moment,
  nextCursor,
  objectId,
  owner,
  plan,
  version,
} from "./fields.ts";
import { NO_CHOICE_OF_PLAN, OWNER, overtaken, portalOperation } from "./portal.ts";

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
};

const path = z.object({ api_key_id: apiKeyIdInPath });
const NOT_FOUND = notFound("api_key");
const answer = {
  schema: z.strictObject({ apiKey }),
  example: { apiKey: shown },
  headers: ["ETag"],
} as const;

export const apiKeyPaths: ZodOpenApiPathsObject = {
  "/api/v1/api-keys": {
    post: portalOperation({
      id: "createApiKey",
      tag: "API keys",
      summary: "Create a key",
      description: "Answers the bearer key, this once: it is stored as a hash.",
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
        201: {
          description: "The key. `secret` is the bearer token.",
          schema: z.strictObject({
            apiKey,
            secret: z.string().regex(/^audit1_(test|live)_sk_[A-Za-z0-9]{32}$/),
          }),
          example: { apiKey: shown, secret: "audit1_live_sk_ab12cd34ef56gh78ij90kl12mn34op56" },
          headers: ["ETag"],
        },
      },
      failures: [
        ...OWNER,
        NO_CHOICE_OF_PLAN,
        {
          kind: "portal",
          status: 400,
          error: "environment_required",
          message: "The environment field is required",
        },
      ],
    }),
    get: portalOperation({
      id: "listApiKeys",
      tag: "API keys",
      summary: "List an owner's keys",
      description: "Newest first; the active ones, unless told otherwise. No list shows a key itself.",
      query: keyQuery,
      answers: {
        200: {
          description: "A page of keys.",
          schema: z.strictObject({ apiKeys: z.array(apiKey), next_cursor: nextCursor }),
          example: { apiKeys: [shown], next_cursor: null },
        },
      },
      failures: OWNER,
    }),
  },
  "/api/v1/api-keys/{api_key_id}": {
    get: portalOperation({
      id: "getApiKey",
      tag: "API keys",
      summary: "Read a key",
      description: "Shows what it is recognised by, never the key itself.",
      path,
      answers: { 200: { description: "The key.", ...answer } },
      failures: [NOT_FOUND],
    }),
    patch: portalOperation({
      id: "changeApiKey",
      tag: "API keys",
      summary: "Change a key",
      description: "Turns it on or off, or changes its plan. In force everywhere when it is answered.",
      path,
      header: ifMatch,
      body: {
        schema: keyPatch,
        examples: { activate: { summary: "Turn it on again", value: { is_active: true } } },
      },
      answers: { 200: { description: "The key as it is now.", ...answer } },
      failures: [NOT_FOUND, NO_CHOICE_OF_PLAN, overtaken("api_key")],
    }),
    delete: portalOperation({
      id: "deactivateApiKey",
      tag: "API keys",
      summary: "Deactivate a key",
      description: "Refused everywhere from the answer on. Can be turned on again; may be repeated.",
      path,
      header: ifMatch,
      answers: {
        200: {
          description: "It is off.",
          schema: z.strictObject({ message: z.literal("api_key_deleted") }),
          example: { message: "api_key_deleted" },
        },
      },
      failures: [NOT_FOUND, overtaken("api_key")],
    }),
  },
};
