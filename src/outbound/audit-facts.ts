/**
 * Reads from the data of audit events what metrics need: the employer and the policy period of a completed audit, and by how much an
 * adjusted audit moved the premium. All other data stays sealed. A field that is missing or unusable is left out; it never causes a
 * rejection. Pure.
 */
import type { EventType } from "./event-types.ts";

/** Columns of a stored event. */
export interface AuditFacts {
  employerId: string | null;
  /** The first and the last day, `YYYY-MM-DD`. Both null if either is missing. */
  periodStart: string | null;
  periodEnd: string | null;
}

export const NO_AUDIT_FACTS: AuditFacts = { employerId: null, periodStart: null, periodEnd: null };

const EMPLOYER_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** A day, or a moment of which the day counts. */
const DAY = /^((?:19|20|21)\d{2}-\d{2}-\d{2})(?:T[0-9:.+Z-]{0,24})?$/;
/** No policy has a longer period. It bounds the months that a metric looks up. */
const LONGEST_PERIOD_DAYS = 3 * 366;
/** No adjustment of one audit is larger, in cents: a billion dollars. */
const MOST_CENTS = 100_000_000_000;

/** Empty for any other event than `audit.completed`. `data` is the event's data as JSON. */
export function auditFactsOf(type: EventType, data: string): AuditFacts {
  if (type !== "audit.completed") return NO_AUDIT_FACTS;
  const audit = auditIn(data);
  const employerId = fieldOf(audit, "employerId", "employer_id");
  const period = objectOf(fieldOf(audit, "policyPeriod", "policy_period"));
  const start = dayOf(fieldOf(period, "start", "start_date"));
  const end = dayOf(fieldOf(period, "end", "end_date"));
  const isPeriod = start !== null && end !== null && isOrdered(start, end);
  return {
    employerId: typeof employerId === "string" && EMPLOYER_ID.test(employerId) ? employerId : null,
    periodStart: isPeriod ? start : null,
    periodEnd: isPeriod ? end : null,
  };
}

/**
 * By how much an `audit.adjusted` event moved the premium, in whole cents: the actual premium minus the estimated one, or else
 * the adjustment as it is given. Null for any other event, and if the data gives neither.
 */
export function premiumMovedCents(type: EventType, data: string): number | null {
  if (type !== "audit.adjusted") return null;
  const audit = auditIn(data);
  const results = objectOf(audit.results) ?? audit;
  const estimated = centsOf(fieldOf(results, "estimatedPremium", "estimated_premium"));
  const actual = centsOf(fieldOf(results, "actualPremium", "actual_premium"));
  if (estimated !== null && actual !== null) return actual - estimated;
  return centsOf(results.adjustment);
}

type Fields = Record<string, unknown>;

/** The documents give the fields at the top, or in an object that is named like the family of the event. */
function auditIn(data: string): Fields {
  const parsed = objectOf(JSON.parse(data)) ?? {};
  return objectOf(parsed.audit) ?? parsed;
}

function objectOf(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** The documents write names in either case. */
function fieldOf(fields: Fields | null, ...names: string[]): unknown {
  const name = names.find((each) => fields !== null && Object.hasOwn(fields, each));
  return name === undefined ? undefined : fields?.[name];
}

function dayOf(value: unknown): string | null {
  const [, day] = (typeof value === "string" && DAY.exec(value)) || [];
  if (day === undefined) return null;
  const time = new Date(`${day}T00:00:00Z`);
  // The 31st of April would otherwise become the 1st of May.
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day) ? day : null;
}

function isOrdered(start: string, end: string): boolean {
  const days = (Date.parse(end) - Date.parse(start)) / 86_400_000;
  return days >= 0 && days <= LONGEST_PERIOD_DAYS;
}

function centsOf(value: unknown): number | null {
  if (typeof value !== "number" || !Number.isFinite(value)) return null;
  const cents = Math.round(value * 100);
  return Math.abs(cents) <= MOST_CENTS ? cents : null;
}
