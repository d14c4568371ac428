/** The service itself. */
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { headersWith } from "../contract/headers.ts";
import { PAGES } from "../reference/chapters.ts";
import { operation, type Particulars } from "./operation.ts";

const page = z.enum(PAGES).meta({ description: "A chapter, or `errors`.", examples: ["connections"] });

/** Something that is shipped with the Worker. It stands for itself and has no example. */
function shipped(
  id: string,
  type: string,
  summary: string,
  description: string,
  more: Pick<Particulars, "path" | "failures"> & { schema?: z.ZodType } = {},
) {
  const { schema = z.string(), ...particulars } = more;
  const { responses, ...rest } = operation({
    id,
    tag: "Service",
    summary,
    description,
    access: "nobody",
    answers: {},
    ...particulars,
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
      { schema: z.looseObject({ openapi: z.string() }) },
    ),
  },
  "/docs": {
    get: shipped(
      "getDocs",
      "text/html",
      "This document for people",
      "The overview: authentication, errors, and every operation with a link to its page. Works without scripts.",
    ),
  },
  "/docs/style.css": {
    get: shipped("getDocsStyle", "text/css", "The pages' style", "The only file that the pages load."),
  },
  "/docs/{page}": {
    get: shipped(
      "getDocsPage",
      "text/html",
      "A page of this document",
      "The operations of one chapter, or every error.",
      { path: z.object({ page }), failures: [{ kind: "not_found" }] },
    ),
  },
};
