/** An employer as the portal manages it: what a request may say of one, what is told and shown of it. */
import * as z from "zod";
import { type AuditRow, changedFields, newAuditRow } from "../../db/audit.ts";
import { type BoundConnections, inOrder, type StoredEmployer } from "../../db/employers.ts";
import { nextVersion } from "../../db/gates.ts";
import type { Client } from "../../http/context.ts";
import { normalizeFein } from "../../model.ts";
import { mayActFor, ownerId, ownerType } from "../owner.ts";

export const EMPLOYER_ID = /^[A-Za-z0-9_-]{1,64}$/;
export const NOT_AN_EMPLOYER_ID = "Must be 1 to 64 characters of A-Za-z0-9_-";

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

export const employerBody = z.strictObject(employerFields);
/** A line of an import. */
export const employerLine = z.strictObject({
  id: z.string().regex(EMPLOYER_ID, NOT_AN_EMPLOYER_ID),
  ...employerFields,
});

/** The employer as it is to be, in place of the one that was `read`. */
export function wantedEmployer(
  id: string,
  { fein, name, owners }: z.infer<typeof employerBody>,
  read: StoredEmployer | null,
  now: number,
): StoredEmployer {
  return {
    id,
    fein: fein ? normalizeFein(fein) : null,
    name,
    owners: inOrder(owners ?? read?.owners ?? []),
    version: nextVersion(read?.version ?? 0, now),
  };
}

/** Why a change is not made that connections would lose their employer by. */
export function boundRefusal({ ids, count }: BoundConnections): {
  message: string;
  details: { connections: string[] };
} {
  const those = count === 1 ? "One connection is" : `${count} connections are`;
  return {
    message: `${those} bound to this employer, and the owner that it is withdrawn from could no longer report with ${count === 1 ? "it" : "them"}. Bind or delete ${count === 1 ? "it" : "them"} first, or set force.`,
    details: { connections: ids },
  };
}

export interface By {
  actor: string;
  requestId: string;
}

/** The audit row of a change; null when it changes nothing. */
export function employerAuditRow(
  by: By,
  read: StoredEmployer | null,
  wanted: StoredEmployer,
): AuditRow | null {
  const fields = ({ fein, name, owners }: StoredEmployer) => ({ fein, name, owners });
  const changed = read === null ? null : changedFields(fields(read), fields(wanted));
  if (changed !== null && Object.keys(changed.after).length === 0) return null;
  return newAuditRow({
    at: wanted.version,
    ...by,
    kind: "employer",
    what: read === null ? "created" : "updated",
    subjectId: wanted.id,
    owner: null,
    before: changed?.before ?? null,
    after: changed?.after ?? fields(wanted),
  });
}

/** What a client sees of an employer: of its owners, those that it may act for. */
export function presentEmployer(client: Client, { id, fein, name, owners, version }: StoredEmployer) {
  const seen = owners.filter(({ owner_type: type, owner_id }) => mayActFor(client, { type, id: owner_id }));
  return { id, fein, name, owners: seen, version };
}
