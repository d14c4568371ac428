/** Employers, as the portal itself manages them. */
import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { notFound } from "../portal/change.ts";
import { employerBody } from "../portal/employer.ts";
import { REFUSALS } from "../portal/employers.ts";
import { EXAMPLE, ifMatch, owner, success, version } from "./fields.ts";
import { portalOperation } from "./portal.ts";

const employer = z
  .strictObject({
    id: z.string(),
    fein: z
      .string()
      .regex(/^\d{9}$/)
      .nullable()
      .meta({ description: "Nine digits, without the dash." }),
    name: z.string(),
    owners: z.array(z.strictObject(owner)).meta({ description: "Who may report for it." }),
    version,
  })
  .meta({ id: "Employer" });

const shown = {
  id: EXAMPLE.employerId,
  fein: EXAMPLE.fein.replace("-", ""),
  name: "Acme Manufacturing",
  owners: [EXAMPLE.owner],
  version: EXAMPLE.version,
};

const written = {
  schema: z.strictObject({ success, employer }),
  example: { success: true, employer: shown },
  headers: ["ETag"],
} as const;

export const employerPaths: ZodOpenApiPathsObject = {
  "/api/v1/employers/{employer_id}": {
    put: portalOperation({
      id: "putEmployer",
      tag: "Employers",
      summary: "Create or replace an employer",
      description:
        "As a whole: an owner that is left out may report for it no more, which is known everywhere within a minute. Only a client that is bound to no owner may do this; to others no employer exists.",
      path: z.object({
        employer_id: z
          .string()
          .regex(/^[A-Za-z0-9_-]{1,64}$/)
          .meta({ examples: [EXAMPLE.employerId] }),
      }),
      header: ifMatch,
      body: {
        schema: employerBody,
        examples: {
          granted: {
            summary: "With an owner that may report for it",
            value: { fein: EXAMPLE.fein, name: "Acme Manufacturing", owners: [EXAMPLE.owner] },
          },
        },
      },
      answers: {
        201: { description: "It is new.", ...written },
        200: { description: "It was there, and is replaced.", ...written },
      },
      failures: [
        {
          kind: "validation",
          message: "Invalid employer id",
          details: { id: "Must be 1 to 64 characters of A-Za-z0-9_-" },
        },
        notFound("employer"),
        REFUSALS.fein_taken,
        REFUSALS.overtaken,
      ],
    }),
  },
};
