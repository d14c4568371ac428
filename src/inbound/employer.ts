/** Which employer a report is for. A connection speaks for its bound employer, or for those granted to its owner. */
import type { EmployerMatch } from "../db/connections.ts";
import { normalizeFein } from "../db/fein.ts";
import type { GateKind } from "../gate/file-id.ts";
import { type FieldProblems, isEmployerId, NOT_A_FEIN, NOT_AN_EMPLOYER_ID } from "./fields.ts";

/** What a body says of its employer, as far as it is well-formed. */
export interface NamedEmployer {
  fein: string | null;
  id: string | null;
  /** Advice on what is there but cannot be used. */
  warnings: FieldProblems;
}

export type Resolution = { employerId: string; warnings: FieldProblems } | { reason: string };

export function namedEmployer(fein: unknown, id: unknown): NamedEmployer {
  const named: NamedEmployer = { fein: null, id: null, warnings: {} };
  if (typeof fein === "string") named.fein = normalizeFein(fein);
  if (isEmployerId(id)) named.id = id;
  if (fein !== undefined && fein !== null && named.fein === null) named.warnings.employer_fein = NOT_A_FEIN;
  if (id !== undefined && id !== null && named.id === null) named.warnings.employer_id = NOT_AN_EMPLOYER_ID;
  return named;
}

/** Whether a bound connection's body names nobody else, so that no lookup is needed. */
export function namesOnlyBound(named: NamedEmployer, bound: { id: string; fein: string | null }): boolean {
  return (named.id === null || named.id === bound.id) && (named.fein === null || named.fein === bound.fein);
}

/** `known` are all employers that the body's FEIN or id match. */
export function resolveBound(
  named: NamedEmployer,
  boundId: string,
  known: readonly EmployerMatch[],
): Resolution {
  if (known.some((employer) => employer.id !== boundId)) {
    return {
      reason:
        "This connection is bound to one employer, and the body names another. Use that employer's connection.",
    };
  }
  const warnings = { ...named.warnings };
  const bound = known.find((employer) => employer.id === boundId);
  if (named.fein !== null && bound?.fein !== named.fein)
    warnings.employer_fein = "Unknown FEIN; the connection's employer is used";
  if (named.id !== null && named.id !== boundId)
    warnings.employer_id = "Unknown employer; the connection's employer is used";
  return { employerId: boundId, warnings };
}

/**
 * `known` are all employers that the body's FEIN or id match; only granted ones count. `sender` is what sends it, in the
 * words for people.
 */
export function resolveGranted(
  named: NamedEmployer,
  known: readonly EmployerMatch[],
  sender: GateKind = "connection",
): Resolution {
  const granted = known.filter((employer) => employer.granted);
  const [employer, another] = granted;
  if (employer === undefined) {
    return {
      reason:
        named.fein === null && named.id === null
          ? `This ${sender} is not bound to an employer: name one in employer_fein or employer_id.`
          : `No employer with this FEIN or id is granted to this ${sender}'s owner. Check it, or add the employer in the portal.`,
    };
  }
  if (another !== undefined) return { reason: "employer_fein and employer_id name two different employers." };
  const warnings = { ...named.warnings };
  if (named.fein !== null && employer.fein !== named.fein)
    warnings.employer_fein = "Does not match the employer of employer_id";
  if (named.id !== null && employer.id !== named.id)
    warnings.employer_id = "Unknown employer; the one of employer_fein is used";
  return { employerId: employer.id, warnings };
}
