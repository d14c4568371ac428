/** The bodies of a series of reports: always the same bytes, or each with a unique `report_number`. */

import { Problem } from "./problem.ts";

const FIELD = "report_number";

/** The n-th body, counting from 1: the original bytes, with the field inserted. */
export type ReportSeries = (n: number) => Uint8Array<ArrayBuffer>;

/** `series` is the name of this run, so that another run does not send the same bodies. */
export function reportSeries(original: Uint8Array<ArrayBuffer>, vary: boolean, series: string): ReportSeries {
  if (!vary) return () => original;
  const text = new TextDecoder().decode(original);
  const report = parseObject(text);
  if (report === null)
    throw new Problem("Only a JSON object can be varied. Send the file unchanged with --same.", 2);
  if (Object.hasOwn(report, FIELD)) {
    throw new Problem(`The report already has a ${FIELD}. Send it unchanged with --same.`, 2);
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
