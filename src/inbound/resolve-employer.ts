/** Which employer a report is for: the sender's bound employer, or one of those granted to its owner. */
import type { EmployerMatch } from "../db/connections.ts";
import { isOutage } from "../deadline.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { type GateKind, gateName } from "../model.ts";
import { err, ok, type Result } from "../result.ts";
import { type FieldProblems, isEmployerId, NOT_AN_EMPLOYER_ID, readFein } from "./field-rules.ts";
import type { CachedSender, ReportSender } from "./sender-cache.ts";
import type { SenderLookup } from "./sender-lookup.ts";

/** The employer that a body names. A malformed FEIN or id is null. */
export interface NamedEmployer {
  fein: string | null;
  id: string | null;
  /** On a FEIN or id that is malformed. */
  warnings: FieldProblems;
}

export interface ResolvedEmployer {
  employerId: string;
  warnings: FieldProblems;
}

/** The error is a message for the sender. */
type Resolution = Result<ResolvedEmployer, string>;

const GRANT_WITHDRAWN =
  "The owner of this connection may no longer report for the employer that it is bound to. Grant it again in the portal, or bind the connection to another employer.";

/** Looks up the employers that a body names, unless it can only be the bound one. Rejects for a bug. */
export async function resolveEmployer<S extends ReportSender>(
  cached: CachedSender<S>,
  body: { employerFein: unknown; employerId: unknown },
  lookup: SenderLookup<S>,
): Promise<Result<ResolvedEmployer, Failure>> {
  const named = namedEmployer(body.employerFein, body.employerId);
  const { gate, employer: bound } = cached.sender;
  if (bound?.granted === false) return unresolved(GRANT_WITHDRAWN);
  if (bound !== null && namesOnlyBound(named, bound))
    return ok({ employerId: bound.id, warnings: named.warnings });
  const namesNone = named.fein === null && named.id === null;
  try {
    const matches = namesNone ? [] : await lookup.employers(cached, named);
    const resolution =
      bound === null ? resolveGranted(named, matches, gate.kind) : resolveBound(named, bound.id, matches);
    return resolution.ok ? resolution : unresolved(resolution.error);
  } catch (error) {
    if (!isOutage(error)) throw error;
    logError("failed to look up an employer", { gate: gateName(gate) }, error);
    return err({ kind: "employer_lookup_unavailable" });
  }
}

function unresolved(reason: string): Result<never, Failure> {
  return err({ kind: "employer_unresolved", reason });
}

export function namedEmployer(fein: unknown, id: unknown): NamedEmployer {
  const named: NamedEmployer = { fein: null, id: null, warnings: {} };
  if (fein !== undefined && fein !== null) {
    const read = readFein(fein);
    if (read.ok) named.fein = read.value;
    else named.warnings.employer_fein = read.error;
  }
  if (isEmployerId(id)) named.id = id;
  if (id !== undefined && id !== null && named.id === null) named.warnings.employer_id = NOT_AN_EMPLOYER_ID;
  return named;
}

/** Whether a bound connection's body names no employer but the bound one, so that no lookup is needed. */
export function namesOnlyBound(named: NamedEmployer, bound: { id: string; fein: string | null }): boolean {
  return (named.id === null || named.id === bound.id) && (named.fein === null || named.fein === bound.fein);
}

/** For a connection that is bound to an employer. `known` are all employers that match the body's FEIN or id. */
export function resolveBound(
  named: NamedEmployer,
  boundId: string,
  known: readonly EmployerMatch[],
): Resolution {
  if (known.some((employer) => employer.id !== boundId)) {
    return err(
      "This connection is bound to one employer, and the body names another. Use that employer's connection.",
    );
  }
  const warnings = { ...named.warnings };
  const bound = known.find((employer) => employer.id === boundId);
  if (named.fein !== null && bound?.fein !== named.fein)
    warnings.employer_fein = "Unknown FEIN; the connection's employer is used";
  if (named.id !== null && named.id !== boundId)
    warnings.employer_id = "Unknown employer; the connection's employer is used";
  return ok({ employerId: boundId, warnings });
}

/**
 * For a sender that reports for any employer granted to its owner. `known` are all employers that match the body's FEIN
 * or id; only granted ones count. The messages name the kind of `sender`.
 */
export function resolveGranted(
  named: NamedEmployer,
  known: readonly EmployerMatch[],
  sender: GateKind = "connection",
): Resolution {
  const granted = known.filter((employer) => employer.granted);
  const [employer, another] = granted;
  if (employer === undefined) return err(noneGranted(named, sender));
  if (another !== undefined || contradicts(named, employer, known)) {
    return err(
      "employer_fein and employer_id name two different employers: the FEIN is not that of the employer with this id. Send the right one.",
    );
  }
  const warnings = { ...named.warnings };
  if (named.fein !== null && employer.fein === null)
    warnings.employer_fein = "Not compared: no FEIN is known for the employer in employer_id";
  if (named.id !== null && employer.id !== named.id)
    warnings.employer_id = "Unknown employer; the employer in employer_fein is used";
  return ok({ employerId: employer.id, warnings });
}

/**
 * Whether a body names the employer by its id and adds a FEIN that is not the employer's. An employer without a known
 * FEIN is contradicted only by a FEIN that belongs to another known employer.
 */
function contradicts(
  named: NamedEmployer,
  employer: EmployerMatch,
  known: readonly EmployerMatch[],
): boolean {
  if (named.fein === null || named.fein === employer.fein) return false;
  return employer.fein !== null || known.some(({ fein }) => fein === named.fein);
}

function noneGranted({ fein, id, warnings }: NamedEmployer, sender: GateKind): string {
  if (fein !== null || id !== null)
    return `No employer with this FEIN or id is granted to this ${sender}'s owner. Check it, or add the employer in the portal.`;
  const problems = Object.entries(warnings).map(([field, problem]) => `${field}: ${problem}.`);
  const given = problems.length === 0 ? "" : ` ${problems.join(" ")}`;
  return `This ${sender} is not bound to an employer: name one in employer_fein or employer_id.${given}`;
}
