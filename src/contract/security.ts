/** How callers authenticate. */
import type { ZodOpenApiComponentsObject } from "zod-openapi";

export const SECURITY_SCHEMES = {
  portalClientId: {
    type: "apiKey",
    in: "header",
    name: "X-Client-ID",
    description: "The id of a portal client. Used with `X-Client-Secret`.",
  },
  portalClientSecret: {
    type: "apiKey",
    in: "header",
    name: "X-Client-Secret",
    description: "The secret of the portal client.",
  },
  accessToken: {
    type: "apiKey",
    in: "header",
    name: "Cf-Access-Jwt-Assertion",
    description: "A person who signed in through Cloudflare Access, which adds this header.",
  },
  apiKey: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "audit1_(test|live)_sk_…",
    description:
      "A key of the developer API. Its prefix shows whether it is for the sandbox or for production.",
  },
  webhookSignature: {
    type: "apiKey",
    in: "header",
    name: "X-Webhook-Signature",
    description:
      "Hex HMAC-SHA256, under the connection's secret, of the timestamp, a dot and the exact bytes of the body. No prefix.",
  },
  webhookTimestamp: {
    type: "apiKey",
    in: "header",
    name: "X-Webhook-Timestamp",
    description: "Unix milliseconds, within five minutes of the server's time. Signed with the body.",
  },
} as const satisfies ZodOpenApiComponentsObject["securitySchemes"];

/** Each entry is one way to authenticate; the schemes of an entry are used together. */
export const SECURITY = {
  nobody: [],
  /** Credentials show more. */
  anybody: [{}, { portalClientId: [], portalClientSecret: [] }, { accessToken: [] }],
  portal: [{ portalClientId: [], portalClientSecret: [] }, { accessToken: [] }],
  developer: [{ apiKey: [] }],
  either: [{ apiKey: [] }, { portalClientId: [], portalClientSecret: [] }, { accessToken: [] }],
  sender: [{ webhookSignature: [], webhookTimestamp: [] }],
} as const satisfies Record<string, Partial<Record<keyof typeof SECURITY_SCHEMES, string[]>>[]>;
