/** The service itself. */
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { headersWith } from "../contract/headers.ts";
import { operation } from "./operation.ts";

/** Something that is shipped with the Worker. It stands for itself and has no example. */
function shipped(
  id: string,
  type: string,
  summary: string,
  description: string,
  schema: z.ZodType = z.string(),
) {
  const { responses, ...rest } = operation({
    id,
    tag: "Service",
    summary,
    description,
    access: "nobody",
    answers: {},
  });
  const answer = { description: summary, headers: headersWith([]), content: { [type]: { schema } } };
  return { ...rest, responses: { "200": answer, ...responses } };
}

export const servicePaths: ZodOpenApiPathsObject = {
  "/health": {
    get: operation({
      id: "getHealth",
      tag: "Service",
      summary: "Whether the gateway serves",
      description: "Says that the Worker is configured and answers. Asks nothing of what it depends on.",
      access: "nobody",
      answers: {
        200: {
          description: "It serves.",
          schema: z.strictObject({ status: z.literal("ok") }),
          example: { status: "ok" },
        },
      },
    }),
  },
  "/openapi.json": {
    get: shipped(
      "getOpenApiDocument",
      "application/json",
      "This document",
      "OpenAPI 3.1, made from the schemas that requests are checked by.",
      z.looseObject({ openapi: z.string() }),
    ),
  },
  "/docs": {
    get: shipped(
      "getDocs",
      "text/html",
      "This document for people",
      "A page that shows it. All that the page needs comes from here.",
    ),
  },
  "/docs/start.js": {
    get: shipped("getDocsStart", "text/javascript", "The page's beginning", "Starts the renderer."),
  },
  "/docs/swagger-ui.js": {
    get: shipped("getDocsRenderer", "text/javascript", "The page's renderer", "Swagger UI."),
  },
  "/docs/swagger-ui.css": {
    get: shipped("getDocsStyle", "text/css", "The page's style", "That of Swagger UI."),
  },
};
