/** Builds the OpenAPI 3.1 document from the contracts of the routes, in the order of its chapters. */
import type { RouterRoute } from "hono/types";
import { createDocument, type ZodOpenApiPathsObject } from "zod-openapi";
import { descriptionOf } from "../contract/contract.ts";
import { operationObject } from "../contract/operation.ts";
import { SECURITY_SCHEMES } from "../contract/security.ts";
import { TAGS } from "../contract/tags.ts";
import { repeatableOf } from "../http/repeat-promise.ts";
import { deliveredEvents } from "../outbound/delivered-events.ts";

export type OpenApiDocument = ReturnType<typeof createDocument>;

const DESCRIPTION = `Receives payroll reports over signed webhooks, loses none of them, and turns each into exactly one file: a repeated hand-over to the files-creator carries the same \`Idempotency-Key\`.

Every response carries \`X-Audit1-Request-Id\`: quote it to support. If you send an \`X-Request-Id\` (1 to 64 characters of \`A-Za-z0-9._-\`), it is recorded and returned. Every error has the same form, \`Error\`. Bodies are JSON. Management requests with unknown fields are rejected, and each unknown field is named. Objects of other owners appear not to exist.

An unknown path returns 404; a known path with another method returns 405 with \`Allow\`. Caches may store nothing but this documentation. A read with the object's \`ETag\` in \`If-None-Match\` returns 304 while the object is unchanged. A write with \`If-None-Match: *\` succeeds only if the object does not exist yet; otherwise it returns 412.`;

/** Routes without a contract are left out; a test fails if there is one. */
export function openApiDocument(routes: readonly RouterRoute[]): OpenApiDocument {
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
    paths: inChapters(pathsOf(routes)),
    webhooks: deliveredEvents,
    components: { securitySchemes: SECURITY_SCHEMES },
  });
}

function pathsOf(routes: readonly RouterRoute[]): ZodOpenApiPathsObject {
  const paths: ZodOpenApiPathsObject = {};
  for (const { method, path: routed, handler } of routes) {
    const describe = descriptionOf(handler);
    if (describe === undefined) continue;
    const path = routed.replace(/:(\w+)/g, "{$1}");
    const verb = method.toLowerCase();
    const item = paths[path] ?? {};
    if (verb in item) throw new Error(`two contracts describe ${method} ${path}`);
    paths[path] = { ...item, [verb]: operationObject(describe(path), path, repeatableOf(handler)) };
  }
  return paths;
}

function inChapters(paths: ZodOpenApiPathsObject): ZodOpenApiPathsObject {
  const chapters = Object.keys(TAGS);
  const chapterOf = (item: ZodOpenApiPathsObject[string]) =>
    chapters.indexOf(Object.values(item).find((operation) => operation?.tags)?.tags[0]);
  return Object.fromEntries(Object.entries(paths).sort(([, a], [, b]) => chapterOf(a) - chapterOf(b)));
}
