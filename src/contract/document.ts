/**
 * The contract as one OpenAPI 3.1 document, made from the schemas that requests are checked by. Adding an operation is an
 * entry in the `…Paths` of its capability; a test compares them with the router.
 */
import { createDocument } from "zod-openapi";
import { apiKeyPaths } from "../openapi/api-keys.ts";
import { connectionPaths } from "../openapi/connections.ts";
import { deliveryPaths } from "../openapi/deliveries.ts";
import { employerPaths } from "../openapi/employers.ts";
import { eventPaths } from "../openapi/events.ts";
import { filePaths } from "../openapi/files.ts";
import { inboundPaths } from "../openapi/inbound.ts";
import { operationsPaths } from "../openapi/operations.ts";
import { deliveries } from "../openapi/outbound.ts";
import { reportPaths } from "../openapi/reports.ts";
import { servicePaths } from "../openapi/service.ts";
import { webhookPaths } from "../openapi/webhooks.ts";
import { SECURITY_SCHEMES } from "./security.ts";
import { TAGS } from "./tags.ts";

export type OpenApiDocument = ReturnType<typeof createDocument>;

const DESCRIPTION = `Receives payroll reports over signed webhooks, loses none of them, and hands each to the files-creator once.

Every answer carries \`X-Audit1-Request-Id\`, the id to quote to support. An \`X-Request-Id\` of your own (1 to 64 of \`A-Za-z0-9._-\`) is recorded beside it and sent back. Every error has the same form, \`Error\`. Bodies are JSON; in management bodies and queries, unknown fields are refused by name. Another owner's objects are answered as ones that do not exist.

An unknown path is answered 404, a known one with another method 405 with \`Allow\`. No answer but this documentation may be stored by caches. A read with \`If-None-Match\` and the object's \`ETag\` is answered 304 while nothing has changed; a change with \`If-None-Match: *\` is made only where there is no such object, else 412.`;

export function openApiDocument(): OpenApiDocument {
  return createDocument({
    openapi: "3.1.1",
    info: {
      title: "Audit1 webhook gateway",
      version: "1.0.0",
      description: DESCRIPTION,
      license: { name: "Proprietary", url: "https://audit1.com" },
    },
    servers: [
      { url: "/", description: "The host that this document came from" },
      { url: "https://webhooks.audit1.com", description: "Production: inbound reports" },
      { url: "https://api.audit1.info", description: "Production: portal" },
      { url: "https://developer-api.audit1.info", description: "Production: developer API" },
    ],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: {
      ...inboundPaths,
      ...reportPaths,
      ...filePaths,
      ...connectionPaths,
      ...apiKeyPaths,
      ...employerPaths,
      ...webhookPaths,
      ...deliveryPaths,
      ...eventPaths,
      ...operationsPaths,
      ...servicePaths,
    },
    webhooks: deliveries,
    components: { securitySchemes: SECURITY_SCHEMES },
  });
}
