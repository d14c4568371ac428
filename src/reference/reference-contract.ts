/** The contract of the documentation itself: the document, and its pages. */
import * as z from "zod";
import { contract } from "../contract/contract.ts";
import type { Operation } from "../contract/operation.ts";
import { PAGES } from "./chapters.ts";

/** A file that is part of the Worker. It needs no example. */
function shipped(
  mediaType: string,
  details: Pick<Operation, "id" | "summary" | "description" | "path" | "failures">,
  schema: z.ZodType = z.string(),
): Operation {
  return {
    ...details,
    tag: "Service",
    access: "nobody",
    answers: { 200: { description: details.summary, schema, mediaType } },
  };
}

export const getDocument = contract({}, () =>
  shipped(
    "application/json",
    {
      id: "getOpenApiDocument",
      summary: "OpenAPI document",
      description: "OpenAPI 3.1, generated from the schemas that validate requests.",
    },
    z.looseObject({ openapi: z.string() }),
  ),
);

export const getOverview = contract({}, () =>
  shipped("text/html", {
    id: "getDocs",
    summary: "HTML reference",
    description:
      "The overview: hosts, authentication, and every operation with a link to its page. Works without scripts.",
  }),
);

export const getStyle = contract({}, () =>
  shipped("text/css", {
    id: "getDocsStyle",
    summary: "Stylesheet",
    description: "The only file that the pages load.",
  }),
);

export const getPage = contract({}, () =>
  shipped("text/html", {
    id: "getDocsPage",
    summary: "A page of the HTML reference",
    description: "The operations of one chapter, or every error.",
    path: {
      page: z.enum(PAGES).meta({ description: "A chapter, or `errors`.", examples: ["connections"] }),
    },
    failures: [{ kind: "endpoint_not_found" }],
  }),
);
