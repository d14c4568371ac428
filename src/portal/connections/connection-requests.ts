/** What may be said about connections: the bodies and queries of their routes. */
import * as z from "zod";
import { DEFAULT_RETENTION_YEARS } from "../../db/gates.ts";
import { pageFields } from "../../http/page.ts";
import { ENVIRONMENTS, PLANS } from "../../model.ts";
import { ownerFields } from "../owner.ts";

/** The old secret goes on working for this long after a rotation, unless told otherwise. */
const DEFAULT_OVERLAP_S = 86_400;
const LONGEST_OVERLAP_S = 7 * 86_400;

/** The name of the list in its cursors. */
export const CONNECTION_LIST = "connections";

const status = z.enum(["active", "inactive"]);
/** What can be set, then and later. */
const settings = {
  plan: z.enum(PLANS),
  environment: z.enum(ENVIRONMENTS),
  employer_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "Must be 1 to 64 characters of A-Za-z0-9_-")
    .nullable(),
  default_wait_seconds: z.int().min(0).max(30),
  same_body: z.enum(["accept", "deduplicate"]),
  retention_years: z.int().min(1).max(10),
  description: z.string().max(500).nullable(),
};
const connectionType = z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, "Must be a word such as webhook");

export const newConnection = z.strictObject({
  ...ownerFields,
  ...settings,
  type: connectionType.default("webhook"),
  plan: settings.plan.optional(),
  environment: settings.environment.default("sandbox"),
  employer_id: settings.employer_id.optional(),
  default_wait_seconds: settings.default_wait_seconds.default(0),
  same_body: settings.same_body.default("accept"),
  retention_years: settings.retention_years.default(DEFAULT_RETENTION_YEARS),
  description: settings.description.optional(),
});
export type NewConnection = z.infer<typeof newConnection>;
export const connectionPatch = z
  .strictObject({
    status: status.exactOptional(),
    plan: settings.plan.exactOptional(),
    environment: settings.environment.exactOptional(),
    employer_id: settings.employer_id.exactOptional(),
    default_wait_seconds: settings.default_wait_seconds.exactOptional(),
    same_body: settings.same_body.exactOptional(),
    retention_years: settings.retention_years.exactOptional(),
    description: settings.description.exactOptional(),
  })
  .refine((fields) => Object.keys(fields).length > 0, "Name at least one field to change")
  .meta({ minProperties: 1 });
export const connectionQuery = z.strictObject({
  ...ownerFields,
  status: status.optional(),
  environment: settings.environment.optional(),
  type: connectionType.optional(),
  ...pageFields(CONNECTION_LIST, z.tuple([z.int(), z.string()])),
});
/** `erase=false` takes an erasure back that has not happened yet. */
export const deletion = z.strictObject({
  erase: z.enum(["true", "false"]).optional(),
});
export const rotation = z.strictObject({
  overlap_seconds: z.int().min(0).max(LONGEST_OVERLAP_S).default(DEFAULT_OVERLAP_S),
});
