/** The contract of employers, which the portal manages. */
import * as z from "zod";
import { answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { owner, success, version } from "../../contract/fields.ts";
import type { EmployerWritten } from "../../db/employers.ts";
import type { Failure } from "../../http/failure.ts";
import { NDJSON } from "../../http/ndjson.ts";
import { pageFields } from "../../http/page.ts";
import { normalizeFein } from "../../model.ts";
import { notFound } from "../change.ts";
import { ownerFields, ownerId, ownerType } from "../owner.ts";
import { portalContracts, VERSIONED } from "../portal-contract.ts";

export const EMPLOYER_ID = /^[A-Za-z0-9_-]{1,64}$/;
const NOT_AN_EMPLOYER_ID = "Must be 1 to 64 characters of A-Za-z0-9_-";

const employerFields = {
  fein: z
    .string()
    .refine((text) => normalizeFein(text) !== null, "Must be a FEIN of nine digits, such as 12-3456789")
    .meta({ pattern: "^[0-9]{2}-?[0-9]{7}$" })
    .nullish(),
  name: z.string().min(1, "Must not be empty").max(200, "Must have at most 200 characters"),
  owners: z
    .array(z.strictObject({ owner_type: ownerType, owner_id: ownerId }))
    .max(50, "At most 50 owners")
    .optional()
    .meta({ description: "The owners that may report for it. If left out, the grants stay as they are." }),
  force: z.boolean().optional().meta({
    description:
      "Withdraws the employer even from owners whose connections are bound to it and can then no longer report.",
  }),
};

const employerBody = z.strictObject(employerFields);
export type EmployerBody = z.infer<typeof employerBody>;
/** A line of an import. */
export const employerLine = z.strictObject({
  id: z.string().regex(EMPLOYER_ID, NOT_AN_EMPLOYER_ID),
  ...employerFields,
});

/** The name of the list in its cursors. */
export const EMPLOYER_LIST = "employers";
const employerQuery = z.strictObject({ ...ownerFields, ...pageFields(EMPLOYER_LIST, z.string()) });

export const INVALID_ID: Failure = { kind: "invalid_employer_id", problem: NOT_AN_EMPLOYER_ID };
export const REFUSALS: Record<Exclude<EmployerWritten, "written">, Failure> = {
  fein_taken: { kind: "fein_taken" },
  overtaken: { kind: "employer_changed" },
};

const employer = once(() =>
  z
    .strictObject({
      id: like(z.string(), EXAMPLE.employerId),
      fein: like(
        z
          .string()
          .regex(/^\d{9}$/)
          .nullable(),
        EXAMPLE.fein.replace("-", ""),
        "Nine digits, without the dash.",
      ),
      name: like(z.string(), "Acme Manufacturing"),
      owners: z.array(z.strictObject(owner())).meta({ description: "The owners that may report for it." }),
      version: version(),
    })
    .meta({ id: "Employer" }),
);
export type ShownEmployer = z.infer<ReturnType<typeof employer>>;

const contract = portalContracts("Employers");

export const listEmployers = contract({ query: employerQuery }, () => ({
  id: "listEmployers",
  summary: "List employers",
  description:
    "Sorted by id. Without an owner, a client that is bound to none sees all employers; with an owner, those that are granted to it.",
  answers: { 200: page("A page of employers.", "employers", employer()) },
}));

export const importEmployers = contract({}, () => ({
  id: "importEmployers",
  summary: "Import employers",
  description:
    "One employer per line, at most 10 000 lines, each like the body of `PUT /employers/{employer_id}` with an `id`. The response streams lines of JSON while the import runs. `type` is `problem` (`line`, `id`, `message`, `details`), `progress`, or finally `end` (`complete`; if false, also `message` and `continue_at_line`), with the counts so far. Safe to repeat: employers that are already up to date stay unchanged. Only for a client that is bound to no owner.",
  body: {
    mediaType: NDJSON,
    schema: z.string(),
    examples: {
      two: {
        summary: "Two employers",
        value: '{"id":"EMP_1","fein":"12-3456780","name":"One"}\n{"id":"EMP_2","name":"Two","owners":[]}\n',
      },
    },
  },
  answers: {
    200: {
      description: "The outcome, line by line. The last line says whether every line was processed.",
      mediaType: NDJSON,
      schema: z.string(),
      example:
        '{"type":"progress","lines":2,"created":2,"updated":0,"unchanged":0,"refused":0}\n{"type":"end","complete":true,"lines":2,"created":2,"updated":0,"unchanged":0,"refused":0}\n',
    },
  },
  failures: [
    {
      kind: "wrong_content_type",
      expected: "application/x-ndjson",
      type: "application/json",
      received: "application/json",
    },
    { kind: "endpoint_not_found" },
  ],
}));

export const getEmployer = contract({}, () => ({
  id: "getEmployer",
  summary: "Read an employer",
  description: "A client that is bound to an owner sees only employers that are granted to this owner.",
  of: "employer",
  answers: { 200: answer("The employer.", { employer: employer() }, VERSIONED) },
}));

export const putEmployer = contract({ body: employerBody }, () => ({
  id: "putEmployer",
  summary: "Create or replace an employer",
  description:
    "Replaces the whole employer, except that `owners` keep their grants if the field is left out. An owner that is missing from `owners` can no longer report for the employer, everywhere within a minute; if connections of that owner are bound to the employer, the request is rejected unless `force` is set. Only for a client that is bound to no owner; other clients get 404.",
  changes: true,
  examples: {
    granted: {
      summary: "With an owner that may report for the employer",
      value: { fein: EXAMPLE.fein, name: "Acme Manufacturing", owners: [EXAMPLE.owner] },
    },
  },
  answers: {
    201: answer("Created.", { success: success(), employer: employer() }, VERSIONED),
    200: answer("Replaced.", { success: success(), employer: employer() }, VERSIONED),
  },
  failures: [
    INVALID_ID,
    notFound("employer"),
    REFUSALS.fein_taken,
    REFUSALS.overtaken,
    { kind: "employer_in_use", ids: [EXAMPLE.connectionId], count: 1 },
  ],
}));
