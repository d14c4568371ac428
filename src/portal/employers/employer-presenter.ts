/** How the portal replaces, audits and presents an employer. */
import { type AuditRow, changedFields, newAuditRow } from "../../db/audit.ts";
import { inOrder, type StoredEmployer } from "../../db/employers.ts";
import { nextVersion } from "../../db/gates.ts";
import type { Client } from "../../http/context.ts";
import { normalizeFein } from "../../model.ts";
import { mayActFor } from "../owner.ts";
import type { EmployerBody, ShownEmployer } from "./employer-contract.ts";

/** The employer that replaces the one that was `read`. */
export function wantedEmployer(
  id: string,
  { fein, name, owners }: EmployerBody,
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

export interface By {
  actor: string;
  requestId: string;
}

/** The audit row of a change; null if nothing changes. */
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

/** Shows only the owners that the client may act for. */
export function presentEmployer(
  client: Client,
  { id, fein, name, owners, version }: StoredEmployer,
): ShownEmployer {
  const seen = owners.filter(({ owner_type: type, owner_id }) => mayActFor(client, { type, id: owner_id }));
  return { id, fein, name, owners: seen, version };
}
