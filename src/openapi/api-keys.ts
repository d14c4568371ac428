/** Bearer keys of the developer API, as the portal manages them. */
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { newKey } from "../portal/api-keys.ts";
import { EXAMPLE, environment, moment, objectId, owner, plan } from "./fields.ts";
import { NO_CHOICE_OF_PLAN, OWNER, portalOperation } from "./portal.ts";

const apiKey = z
  .strictObject({
    _id: objectId,
    id: z.string().meta({ description: "`ak_` and the same." }),
    key: z.string().meta({ description: "The first characters of the key, to recognise it by." }),
    environment,
    plan,
    ...owner,
    is_active: z.boolean(),
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
  created_at: EXAMPLE.at,
  updated_at: EXAMPLE.at,
};

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
  },
};
