/** Formats the results of a run. */
import { isUnanswered as isEventUnanswered } from "./event-record.ts";
import type { Finding } from "./invariants.ts";
import { acceptedAs, isUnanswered } from "./record.ts";
import type { Trial } from "./trial.ts";

const SHOWN_BREAKS = 10;

export function describeTrial(trial: Trial): string {
  const { record, drained, events, deliveries } = trial;
  const valid = record.units.filter((unit) => unit.valid);
  const accepted = valid.filter((unit) => acceptedAs(unit).size > 0);
  const unanswered = valid.filter((unit) => acceptedAs(unit).size === 0 && isUnanswered(unit));
  const heard = record.units.flatMap((unit) => unit.heard);
  const statuses = tally(heard.map(({ status }) => (status === null ? "no answer" : String(status))));
  return [
    section("Requests of senders", [
      ["reports", valid.length],
      ["  accepted", accepted.length],
      ["  without a final response", unanswered.length],
      ["  refused", valid.length - accepted.length - unanswered.length],
      ["requests that must be rejected", record.units.length - valid.length],
      ["HTTP requests", heard.length],
      ...[...statuses].sort().map(([status, n]): Line => [`  ${status}`, n]),
      ["files at the files-creator", trial.files],
      ["  replayed after a refusal", drained.replayed],
      ["minutes of the gateway's clock", Math.round(trial.clockMs / 60_000)],
      ["  until every file was settled", Math.round(drained.tookMs / 60_000)],
    ]),
    section("Events and deliveries", [
      ["events", events.units.filter(({ expects }) => expects === "taken").length],
      ["  accepted", events.units.filter(({ takenAt }) => takenAt !== null).length],
      [
        "  without a final response",
        events.units.filter((u) => u.takenAt === null && isEventUnanswered(u)).length,
      ],
      ["deliveries, including those of file events", deliveries.length],
      ...[...tally(deliveries.map(({ status }) => status))]
        .sort()
        .map(([status, n]): Line => [`  ${status}`, n]),
      ["  with more than one attempt", deliveries.filter(({ attempts }) => attempts > 1).length],
      ["requests at receivers", trial.receptions],
      ["minutes of the gateway's clock for retries", Math.round(trial.runOut.tookMs / 60_000)],
    ]),
    section("Faults around the gateway", [...trial.faults.chaos].sort()),
    section("Faults of its bindings, queues and objects", [...trial.faults.gateway].sort()),
    section("Behaviour of the files-creator", [...trial.faults.filesCreator].sort()),
    section("Behaviour of the receivers", [...trial.faults.receivers].sort()),
    describeFindings(trial.findings),
  ].join("\n");
}

export function describeFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ invariant }) => invariant.length));
  const lines = findings.flatMap(({ invariant, checked, broken }) => [
    `  ${broken.length === 0 ? "✓" : "✗"} ${invariant.padEnd(width)}  ${String(checked).padStart(7)}  ${String(broken.length).padStart(6)}`,
    ...broken.slice(0, SHOWN_BREAKS).map((line) => `      ${line}`),
    ...(broken.length > SHOWN_BREAKS ? [`      … and ${broken.length - SHOWN_BREAKS} more`] : []),
  ]);
  return `\n  ${"Invariant".padEnd(width + 2)}  ${"checked".padStart(7)}  ${"broken".padStart(6)}\n${lines.join("\n")}\n`;
}

type Line = [string, number];

function section(title: string, lines: Line[]): string {
  const width = Math.max(title.length, ...lines.map(([name]) => name.length + 2));
  return `\n${title}\n${lines.map(([name, n]) => `  ${name.padEnd(width)} ${String(n).padStart(7)}`).join("\n")}`;
}

function tally(names: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
