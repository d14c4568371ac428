/** Employers, as the portal itself manages them. */

import * as z from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { headersWith } from "../contract/answer-headers.ts";
import { EXAMPLE } from "../contract/examples.ts";
import { NDJSON } from "../http/ndjson.ts";
import { notFound } from "../portal/change.ts";
import { boundRefusal, employerBody } from "../portal/employers/employer-presenter.ts";
import { employerQuery, REFUSALS } from "../portal/employers/employer-routes.ts";
import { ifMatch, nextCursor, owner, success, version } from "./fields.ts";
import { OWNER, portalOperation } from "./portal.ts";

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

const path = z.object({
  employer_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .meta({ examples: [EXAMPLE.employerId] }),
});

const importOperation = portalOperation({
  id: "importEmployers",
  tag: "Employers",
  summary: "Import employers",
  description:
    "One employer a line, at most 10 000 lines, each as the body of a single one with its `id`. The answer comes as the lines are dealt with, a line of JSON each: `type` is `problem` (`line`, `id`, `message`, `details`), `progress`, or at last `end` (`complete`, and where it is not, `message` and `continue_at_line`), with the counts so far. May be sent again: what is already so stays. Only for a client that is bound to no owner.",
  answers: {},
  failures: [
    {
      kind: "validation",
      message: "Send an NDJSON body with Content-Type: application/x-ndjson.",
      details: { expected: "application/x-ndjson", received: "application/json" },
    },
    { kind: "not_found" },
  ],
});

export const employerPaths: ZodOpenApiPathsObject = {
  "/api/v1/employers": {
    get: portalOperation({
      id: "listEmployers",
      tag: "Employers",
      summary: "List employers",
      description:
        "By id. Without an owner all of them, for a client that is bound to none; of an owner, those that are granted to it.",
      query: employerQuery,
      answers: {
        200: {
          description: "A page of employers.",
          schema: z.strictObject({ employers: z.array(employer), next_cursor: nextCursor }),
          example: { employers: [shown], next_cursor: null },
        },
      },
      failures: OWNER,
    }),
  },
  "/api/v1/employers/import": {
    post: {
      ...importOperation,
      requestBody: {
        required: true,
        content: {
          [NDJSON]: {
            schema: z.string(),
            examples: {
              two: {
                summary: "Two employers",
                value:
                  '{"id":"EMP_1","fein":"12-3456780","name":"One"}\n{"id":"EMP_2","name":"Two","owners":[]}\n',
              },
            },
          },
        },
      },
      responses: {
        "200": {
          description:
            "What became of it, a line at a time. The last line says whether all lines were dealt with.",
          headers: headersWith([]),
          content: {
            [NDJSON]: {
              schema: z.string(),
              example:
                '{"type":"progress","lines":2,"created":2,"updated":0,"unchanged":0,"refused":0}\n{"type":"end","complete":true,"lines":2,"created":2,"updated":0,"unchanged":0,"refused":0}\n',
            },
          },
        },
        ...importOperation.responses,
      },
    },
  },
  "/api/v1/employers/{employer_id}": {
    get: portalOperation({
      id: "getEmployer",
      tag: "Employers",
      summary: "Read an employer",
      description: "A client that is bound to an owner sees those that are granted to its owner.",
      path,
      answers: {
        200: {
          description: "The employer.",
          schema: z.strictObject({ employer }),
          example: { employer: shown },
          headers: ["ETag"],
        },
      },
      failures: [notFound("employer")],
    }),
    put: portalOperation({
      id: "putEmployer",
      tag: "Employers",
      summary: "Create or replace an employer",
      description:
        "As a whole, but for its `owners`: without them those who may report go on. An owner that a list of them leaves out may report for it no more, which is known everywhere within a minute; where connections of that owner are bound to it, this is refused unless `force` is set. Only a client that is bound to no owner may do this; to others no employer exists.",
      path,
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
        {
          kind: "portal",
          status: 409,
          error: "employer_in_use",
          ...boundRefusal({ ids: [EXAMPLE.connectionId], count: 1 }),
        },
      ],
    }),
  },
};
