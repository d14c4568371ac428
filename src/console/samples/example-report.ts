/** The report that the samples send: one employee, and the half month that ended last. */

/** The fields that name the employer: its FEIN if it has one, else its id. Null for one that is made up. */
export type NamedEmployer = { fein: string | null; id: string } | null;

const MADE_UP_FEIN = "12-3456789";

/** ASCII, without quotes of the kinds that samples enclose it in, and without backslashes. */
export function exampleReport(employer: NamedEmployer, now: number): string {
  const { start, end } = lastHalfMonth(new Date(now));
  const named =
    employer === null || employer.fein !== null
      ? `"employer_fein": "${employer?.fein === undefined || employer.fein === null ? MADE_UP_FEIN : dashed(employer.fein)}"`
      : `"employer_id": "${employer.id}"`;
  return `{
  ${named},
  "policy_number": "WC1025561",
  "pay_period": { "start_date": "${start}", "end_date": "${end}" },
  "employees": [
    {
      "first_name": "Jane", "last_name": "Roe", "class_code": "8810", "state": "CA",
      "gross_wages": 2600.50, "hours_worked": 80
    }
  ]
}`;
}

/** `123456789` as `12-3456789`. */
function dashed(fein: string): string {
  return `${fein.slice(0, 2)}-${fein.slice(2)}`;
}

function lastHalfMonth(today: Date): { start: string; end: string } {
  const [year, month] = [today.getUTCFullYear(), today.getUTCMonth()];
  const isSecondHalf = today.getUTCDate() > 15;
  const start = isSecondHalf ? Date.UTC(year, month, 1) : Date.UTC(year, month - 1, 16);
  const end = isSecondHalf ? Date.UTC(year, month, 15) : Date.UTC(year, month, 0);
  return { start: dateOf(start), end: dateOf(end) };
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
