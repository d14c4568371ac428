/** The bodies of a series of reports: the same bytes, or each with a `report_number` no other report has. */

import { Problem } from "./problem.ts";

const FIELD = "report_number";

/** The n-th body, n counting from 1. The bytes of the original stay as they are but for the inserted field. */
export type ReportSeries = (n: number) => Uint8Array<ArrayBuffer>;

/** `series` names the run, so that two runs do not send the same bodies either. */
export function reportSeries(original: Uint8Array<ArrayBuffer>, vary: boolean, series: string): ReportSeries {
  if (!vary) return () => original;
  const text = new TextDecoder().decode(original);
  const report = parseObject(text);
  if (report === null)
    throw new Problem("Only a JSON object can be varied. Send it as it is with --same.", 2);
  if (Object.hasOwn(report, FIELD)) {
    throw new Problem(`The report has a ${FIELD} of its own. Send it as it is with --same.`, 2);
  }
  const open = text.indexOf("{") + 1;
  const [head, tail] = [text.slice(0, open), text.slice(open)];
  const comma = Object.keys(report).length > 0 ? "," : "";
  return (n) => new TextEncoder().encode(`${head}"${FIELD}":"${series}-${n}"${comma}${tail}`);
}

function parseObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
