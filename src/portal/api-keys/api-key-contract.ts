/** The contract of API keys, the bearer keys of the developer API. */
import * as z from "zod";
import { answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { environment, moment, objectId, owner, plan, version } from "../../contract/fields.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { ENVIRONMENTS, PLANS } from "../../model.ts";
import { ownerFields } from "../owner.ts";
import { created, deletion, NO_CHOICE_OF_PLAN, portalContracts, VERSIONED } from "../portal-contract.ts";

const newKey = z.strictObject({
  ...ownerFields,
  environment: z.enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` }).optional(),
  plan: z.enum(PLANS).optional(),
});
export type NewKey = z.infer<typeof newKey>;

const keyPatch = z
  .strictObject({ is_active: z.boolean().exactOptional(), plan: z.enum(PLANS).exactOptional() })
  .refine((fields) => Object.keys(fields).length > 0, "Name at least one field to change")
  .meta({ minProperties: 1 });

/** The name of the list in its cursors. */
export const API_KEY_LIST = "api_keys";
const keyQuery = z.strictObject({
  ...ownerFields,
  include_inactive: z.enum(["true", "false"]).default("false"),
  ...pageFields(API_KEY_LIST, z.tuple([z.int(), z.string()])),
});

export const ERASED: Failure = { kind: "api_key_erased" };
export const ENVIRONMENT_REQUIRED: Failure = { kind: "environment_required" };

const apiKey = once(() =>
  z
    .strictObject({
      _id: objectId(EXAMPLE.apiKeyId),
      id: like(z.string(), `ak_${EXAMPLE.apiKeyId}`, "`ak_` and the same id."),
      key: like(z.string(), "audit1_live_sk_ab12…", "The first characters of the key, to recognize it by."),
      environment: environment(),
      plan: plan(),
      ...owner(),
      is_active: like(z.boolean(), true),
      last_used_at: moment()
        .nullable()
        .meta({ description: "To within about an hour; null until the key is used." }),
      version: version(),
      created_at: moment(),
      updated_at: moment(),
      erase_at: moment().nullable().meta({
        description: "When everything sent with the key is, or was, erased. Null for never.",
      }),
    })
    .meta({ id: "ApiKey" }),
);
export type ShownApiKey = z.infer<ReturnType<typeof apiKey>>;

const contract = portalContracts("API keys");

export const createApiKey = contract({ body: newKey, creates: true }, () => ({
  id: "createApiKey",
  summary: "Create a key",
  description:
    "Returns the bearer key, only now and to repeats with the same `Idempotency-Key` within 24 hours. The key is stored as a hash.",
  examples: {
    production: { summary: "For production", value: { ...EXAMPLE.owner, environment: "production" } },
  },
  answers: {
    201: created(
      "The key. `secret` is the bearer token.",
      { apiKey: apiKey() },
      like(
        z.string().regex(/^audit1_(test|live)_sk_[A-Za-z0-9]{32}$/),
        "audit1_live_sk_ab12cd34ef56gh78ij90kl12mn34op56",
      ),
    ),
  },
  failures: [NO_CHOICE_OF_PLAN, ENVIRONMENT_REQUIRED],
}));

export const listApiKeys = contract({ query: keyQuery }, () => ({
  id: "listApiKeys",
  summary: "List an owner's keys",
  description:
    "Newest first; only active keys, unless `include_inactive` is set. A list never shows a key itself.",
  answers: { 200: page("A page of keys.", "apiKeys", apiKey()) },
}));

export const getApiKey = contract({}, () => ({
  id: "getApiKey",
  summary: "Read a key",
  description: "Returns the first characters of the key, never the key itself.",
  of: "api_key",
  answers: { 200: answer("The key.", { apiKey: apiKey() }, VERSIONED) },
}));

export const changeApiKey = contract({ body: keyPatch }, () => ({
  id: "changeApiKey",
  summary: "Change a key",
  description:
    "Enables or disables the key, or changes its plan. The response means that the change is in force everywhere.",
  of: "api_key",
  changes: true,
  examples: { activate: { summary: "Enable the key again", value: { is_active: true } } },
  answers: { 200: answer("The changed key.", { apiKey: apiKey() }, VERSIONED) },
  failures: [NO_CHOICE_OF_PLAN, ERASED],
}));

export const deactivateApiKey = contract({ query: deletion }, () => ({
  id: "deactivateApiKey",
  summary: "Deactivate a key",
  description:
    "The key is rejected everywhere from the response on. It can be enabled again, and the request is safe to repeat. With `erase=true` everything sent with the key is erased after seven days, and the key can never be enabled again; until then `erase=false` cancels the erasure.",
  of: "api_key",
  changes: true,
  answers: {
    200: answer("Deactivated. `erase_at` is when everything sent with the key is erased.", {
      message: z.literal("api_key_deleted"),
      erase_at: like(moment().nullable().optional(), "2026-03-23T10:30:00.000Z"),
    }),
  },
}));
