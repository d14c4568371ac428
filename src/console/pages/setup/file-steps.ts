/** The way of the first report, as the wizard tells it. Pure. */
import type { Found } from "../../../portal/lookup/lookup-contract.ts";
import { number, relative } from "../../format.ts";
import type { Step } from "../../parts/lifecycle.tsx";

/** As the look-up finds it. */
export type FollowedFile = Extract<Found, { kind: "file" }>;
type Facts = FollowedFile["summary"];

export function stepsOfFile({ summary }: FollowedFile, now: number): Step[] {
  return [
    {
      title: "Received",
      meaning: "good",
      at: summary.received_at,
      text: `Signature and time were right. The report is stored, sealed, for ${summary.employer_id}.`,
    },
    handedOver(summary, now),
    processed(summary),
  ];
}

function handedOver({ status, attempts, next_attempt_at: next, lifecycle }: Facts, now: number): Step {
  const title = "Handed over to Audit1's files-creator";
  if (status !== "queued") return { title, meaning: "good", at: lifecycle.forwarded_at };
  if (attempts === 0)
    return { title, meaning: "waiting", at: null, isNext: true, text: "In a moment. Nothing to do for you." };
  const tries = attempts === 1 ? "once" : `${number(attempts)} times`;
  const inMs = next === null ? 0 : Date.parse(next) - now;
  const when = inMs <= 0 ? "soon" : relative(inMs);
  return {
    title,
    meaning: "warning",
    at: null,
    isNext: true,
    text: `Tried ${tries}, and not taken yet. Next try ${when}. The report is safe: do not send it again.`,
  };
}

function processed({ status, records_total: total, records_failed: failed, lifecycle }: Facts): Step {
  switch (status) {
    case "queued":
      return { title: "Completed", meaning: "off", at: null };
    case "processing":
      return {
        title: "Completed",
        meaning: "waiting",
        at: null,
        isNext: true,
        text: "It is being processed.",
      };
    case "completed":
      return {
        title: "Completed",
        meaning: "good",
        at: lifecycle.completed_at,
        text: recordsOf(total, failed),
      };
    case "failed":
      return {
        title: "Failed",
        meaning: "bad",
        at: lifecycle.failed_at,
        text: "The files-creator refused what the report says; the signature was right. The report is kept. Send a corrected one, or tell Audit1's support the file id.",
      };
  }
}

function recordsOf(total: number | null, failed: number | null): string | undefined {
  if (total === null) return undefined;
  const records = `${number(total)} ${total === 1 ? "record" : "records"}`;
  return failed === null || failed === 0
    ? `${records}, none failed.`
    : `${records}, ${number(failed)} of them failed.`;
}
