/** The contract of employers, as the portal itself manages them. */
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
    .meta({ description: "Who may report for it. Left out, those who may already go on." }),
  force: z.boolean().optional().meta({
    description:
      "Withdraws the employer also from owners whose connections are bound to it, and then report no more.",
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
      owners: z.array(z.strictObject(owner())).meta({ description: "Who may report for it." }),
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
    "By id. Without an owner all of them, for a client that is bound to none; of an owner, those that are granted to it.",
  answers: { 200: page("A page of employers.", "employers", employer()) },
}));

export const importEmployers = contract({}, () => ({
  id: "importEmployers",
  summary: "Import employers",
  description:
    "One employer a line, at most 10 000 lines, each as the body of a single one with its `id`. The answer comes as the lines are dealt with, a line of JSON each: `type` is `problem` (`line`, `id`, `message`, `details`), `progress`, or at last `end` (`complete`, and where it is not, `message` and `continue_at_line`), with the counts so far. May be sent again: what is already so stays. Only for a client that is bound to no owner.",
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
      description:
        "What became of it, a line at a time. The last line says whether all lines were dealt with.",
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
  description: "A client that is bound to an owner sees those that are granted to its owner.",
  of: "employer",
  answers: { 200: answer("The employer.", { employer: employer() }, VERSIONED) },
}));

export const putEmployer = contract({ body: employerBody }, () => ({
  id: "putEmployer",
  summary: "Create or replace an employer",
  description:
    "As a whole, but for its `owners`: without them those who may report go on. An owner that a list of them leaves out may report for it no more, which is known everywhere within a minute; where connections of that owner are bound to it, this is refused unless `force` is set. Only a client that is bound to no owner may do this; to others no employer exists.",
  changes: true,
  examples: {
    granted: {
      summary: "With an owner that may report for it",
      value: { fein: EXAMPLE.fein, name: "Acme Manufacturing", owners: [EXAMPLE.owner] },
    },
  },
  answers: {
    201: answer("It is new.", { success: success(), employer: employer() }, VERSIONED),
    200: answer("It was there, and is replaced.", { success: success(), employer: employer() }, VERSIONED),
  },
  failures: [
    INVALID_ID,
    notFound("employer"),
    REFUSALS.fein_taken,
    REFUSALS.overtaken,
    { kind: "employer_in_use", ids: [EXAMPLE.connectionId], count: 1 },
  ],
}));
