/** Which employer a report is for. A connection speaks for its bound employer, or for those granted to its owner. */
import type { EmployerMatch } from "../db/connections.ts";
import { type GateKind, readFein } from "../model.ts";
import { type FieldProblems, isEmployerId, NOT_AN_EMPLOYER_ID } from "./field-rules.ts";

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
  if (fein !== undefined && fein !== null) {
    const read = readFein(fein);
    if ("fein" in read) named.fein = read.fein;
    else named.warnings.employer_fein = read.problem;
  }
  if (isEmployerId(id)) named.id = id;
  if (id !== undefined && id !== null && named.id === null) named.warnings.employer_id = NOT_AN_EMPLOYER_ID;
  return named;
}

/** Why a bound connection may not report for its employer any more. */
export const GRANT_WITHDRAWN =
  "The owner of this connection may no longer report for the employer that it is bound to. Grant it again in the portal, or bind the connection to another employer.";

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
  if (employer === undefined) return { reason: nobodyReason(named, sender) };
  if (another !== undefined || contradicts(named, employer, known)) {
    return {
      reason:
        "employer_fein and employer_id name two different employers: the FEIN is not that of the employer with this id. Send the right one.",
    };
  }
  const warnings = { ...named.warnings };
  if (named.fein !== null && employer.fein === null)
    warnings.employer_fein = "Not compared: no FEIN is known of the employer of employer_id";
  if (named.id !== null && employer.id !== named.id)
    warnings.employer_id = "Unknown employer; the one of employer_fein is used";
  return { employerId: employer.id, warnings };
}

/**
 * Whether a body that names the employer by its id gives another FEIN beside it, known here or not. Where no FEIN is known of
 * the employer, only one that is known to be somebody else's is another.
 */
function contradicts(
  named: NamedEmployer,
  employer: EmployerMatch,
  known: readonly EmployerMatch[],
): boolean {
  if (named.fein === null || named.fein === employer.fein) return false;
  return employer.fein !== null || known.some(({ fein }) => fein === named.fein);
}

function nobodyReason({ fein, id, warnings }: NamedEmployer, sender: GateKind): string {
  if (fein !== null || id !== null)
    return `No employer with this FEIN or id is granted to this ${sender}'s owner. Check it, or add the employer in the portal.`;
  const problems = Object.entries(warnings).map(([field, problem]) => `${field}: ${problem}.`);
  const given = problems.length === 0 ? "" : ` ${problems.join(" ")}`;
  return `This ${sender} is not bound to an employer: name one in employer_fein or employer_id.${given}`;
}
