/** The way of a report as steps: those that it has taken with their times, then those that are left. */
import type { Found } from "../../../portal/lookup/lookup-contract.ts";
import { usePage } from "../../page-state.ts";
import type { Step } from "../../parts/lifecycle.tsx";
import { duration, Instant, number, Time } from "../../parts/values.tsx";

export type FoundReport = Extract<Found, { kind: "file" }>;
export type FoundRequest = Extract<Found, { kind: "request" }>;
export type ShownReport = FoundReport["summary"];
type Attempt = ShownReport["lifecycle"]["attempts"][number];

/** A report that the files-creator does not take is given up after a day. */
const GIVE_UP_AFTER_MS = 24 * 3_600_000;

export function stepsOf(report: ShownReport): Step[] {
  const taken = [...arrival(report), ...handedOver(report), ...settled(report), ...archived(report)];
  // Steps of the same time stay in their order. A large report is archived as it arrives.
  taken.sort((a, b) => timeOf(a) - timeOf(b));
  return [...taken, ...left(report)];
}

const timeOf = ({ at }: Step) => (at === null ? Number.POSITIVE_INFINITY : new Date(at).getTime());

function arrival({ lifecycle, size, generation, caller_request_id }: ShownReport): Step[] {
  const { signed_at, received_at, admitted_at, queued_at } = lifecycle;
  const steps: Step[] = [
    {
      title: "Received",
      meaning: "good",
      at: received_at,
      text: `${number(size)} bytes in one request${caller_request_id === null ? "" : `, which its sender calls ${caller_request_id}`}.`,
    },
    {
      title: "Admitted",
      meaning: "good",
      at: admitted_at,
      text: "Within its limits and on durable storage: it can no longer be lost.",
    },
    {
      title: generation === 1 ? "Queued" : "Queued again",
      meaning: "good",
      at: queued_at,
      text: generation === 1 ? "Waiting for the files-creator." : `Replayed, as generation ${generation}.`,
    },
  ];
  if (signed_at === null) return steps;
  const early = Date.parse(received_at) - Date.parse(signed_at);
  const text =
    early < 0
      ? `By the sender's clock, which is at least ${duration(-early)} ahead.`
      : `By the sender's clock, ${duration(early)} before it was received.`;
  // Whatever the sender's clock says, it was signed first.
  const at = Math.min(Date.parse(signed_at), Date.parse(received_at));
  return [{ title: "Signed", meaning: "good", at, text }, ...steps];
}

function handedOver({ attempts, generation, lifecycle }: ShownReport): Step[] {
  const shown = lifecycle.attempts;
  const ofThis = shown.filter((each) => each.generation === generation).length;
  const skipped = attempts - ofThis;
  return shown.map((attempt, i) => {
    const isFirstShown = i === 0 || shown[i - 1]?.generation !== attempt.generation;
    const note =
      isFirstShown && attempt.generation === generation && skipped > 0 ? ` ${earlier(skipped)}` : "";
    return { ...attemptStep(attempt), at: attempt.at, text: `${whatCame(attempt)}${note}` };
  });
}

const earlier = (n: number) =>
  n === 1 ? "One earlier attempt is not listed." : `${number(n)} earlier attempts are not listed.`;

function attemptStep({ outcome }: Attempt): Pick<Step, "title" | "meaning"> {
  if (outcome === "forwarded") return { title: "Handed over", meaning: "good" };
  if (outcome === "refused") return { title: "Handed over and rejected", meaning: "bad" };
  return { title: "Attempt failed", meaning: "warning" };
}

function whatCame({ outcome, response_status: status }: Attempt): string {
  if (outcome === "forwarded") return "The files-creator took it.";
  if (outcome === "refused") return `The files-creator rejected it for good, with ${status ?? "an error"}.`;
  return status === null
    ? "The files-creator gave no answer."
    : `The files-creator answered ${status} and gets it again.`;
}

function settled(report: ShownReport): Step[] {
  const { status, lifecycle, generation, updated_at } = report;
  const last = lifecycle.attempts.at(-1);
  const isTaken = last?.generation === generation && last.outcome === "forwarded";
  const steps: Step[] = [];
  if (lifecycle.completed_at !== null && lifecycle.completed_at < lifecycle.queued_at)
    steps.push({
      title: "Completed",
      meaning: "good",
      at: lifecycle.completed_at,
      text: "For the first time.",
    });
  if (isTaken && status !== "queued" && status !== "processing")
    steps.push({ title: "Processing", meaning: "good", at: last.at, text: "In the files-creator." });
  if (status === "completed")
    steps.push({ title: "Completed", meaning: "good", at: updated_at, text: recordsOf(report) });
  if (status === "failed")
    steps.push({ title: "Failed", meaning: "bad", at: lifecycle.failed_at, text: whyFailed(report) });
  return steps;
}

function recordsOf({
  records_total: total,
  records_processed: done,
  records_failed: failed,
}: ShownReport): string {
  if (done === null && total === null) return "The files-creator reported no numbers.";
  const all = number(done ?? total ?? 0);
  const of = total === null || done === null ? "" : ` of ${number(total)}`;
  return `${all}${of} records processed${failed ? `, ${number(failed)} failed` : ""}.`;
}

function whyFailed({ lifecycle, generation }: ShownReport): string {
  const last = lifecycle.attempts.at(-1);
  if (last === undefined || last.generation !== generation)
    return "It was not handed over: its payload can no longer be opened.";
  if (last.outcome === "refused")
    return "A repeat of the same report fails the same way. Correct it and send it again, or replay it once the files-creator can read it.";
  if (last.outcome === "deferred")
    return "Given up: the files-creator did not take it within a day. Nothing is lost: it can be replayed.";
  return "The files-creator took it, and reported later that it could not be processed.";
}

function archived({ lifecycle: { archived: isArchived, archived_at } }: ShownReport): Step[] {
  if (!isArchived) return [];
  const text =
    archived_at === null
      ? "Kept for its connection's retention."
      : "Sealed, and kept for its connection's retention.";
  return [{ title: "Archived", meaning: "good", at: archived_at, text }];
}

/** The steps that are left. The first of them is next, or under way. */
function left(report: ShownReport): Step[] {
  const { status, lifecycle } = report;
  const steps: Step[] = [];
  if (status === "queued")
    steps.push({ title: "Hand over", meaning: "waiting", at: null, text: <WhenNext report={report} /> });
  if (status === "queued") steps.push({ title: "Processing", meaning: "off", at: null });
  if (status === "processing")
    steps.push({
      title: "Processing",
      meaning: "waiting",
      at: null,
      text: `The files-creator has it and reports when it is done.${progressOf(report)}`,
    });
  if (status === "queued" || status === "processing")
    steps.push({ title: "Completed", meaning: "off", at: null });
  if (!lifecycle.archived) {
    const due = lifecycle.archive_due_at;
    const isNext = status === "completed" || status === "failed";
    steps.push({
      title: "Archived",
      meaning: isNext ? "waiting" : "off",
      at: null,
      ...(isNext &&
        due !== null && {
          text: (
            <>
              Moves to the archive <Time at={due} /> at the latest.
            </>
          ),
        }),
    });
  }
  return steps.map((step, i) => ({ ...step, isNext: i === 0 }));
}

function progressOf({ records_total: total, records_processed: done }: ShownReport): string {
  if (total === null) return "";
  return done === null
    ? ` It holds ${number(total)} records.`
    : ` ${number(done)} of ${number(total)} records so far.`;
}

function WhenNext({ report: { next_attempt_at: at, attempts, lifecycle } }: { report: ShownReport }) {
  const { now } = usePage();
  if (attempts === 0 && at === null)
    return <>Within seconds, or within two minutes if its wake-up was lost.</>;
  if (at === null) return <>Under way.</>;
  const isDue = Date.parse(at) <= now;
  return (
    <>
      {isDue ? (
        <>Due: under way, or waiting until the files-creator answers again.</>
      ) : (
        <>
          Next attempt <Time at={at} />.
        </>
      )}{" "}
      If the files-creator does not take it by{" "}
      <Instant at={Date.parse(lifecycle.queued_at) + GIVE_UP_AFTER_MS} />, it fails.
    </>
  );
}
