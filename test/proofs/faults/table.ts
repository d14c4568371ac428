/** What a run prints. */
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
    section("What was sent and heard", [
      ["reports", valid.length],
      ["  accepted", accepted.length],
      ["  never answered for good", unanswered.length],
      ["  refused", valid.length - accepted.length - unanswered.length],
      ["requests that had to be refused", record.units.length - valid.length],
      ["HTTP requests", heard.length],
      ...[...statuses].sort().map(([status, n]): Line => [`  ${status}`, n]),
      ["files at the files-creator", trial.files],
      ["  of these replayed after a refusal", drained.replayed],
      ["minutes of the gateway's clock", Math.round(trial.clockMs / 60_000)],
      ["  of these until all was settled", Math.round(drained.tookMs / 60_000)],
    ]),
    section("What services told, and receivers got", [
      ["events", events.units.filter(({ expects }) => expects === "taken").length],
      ["  taken", events.units.filter(({ takenAt }) => takenAt !== null).length],
      [
        "  never answered for good",
        events.units.filter((u) => u.takenAt === null && isEventUnanswered(u)).length,
      ],
      ["deliveries, those of files among them", deliveries.length],
      ...[...tally(deliveries.map(({ status }) => status))]
        .sort()
        .map(([status, n]): Line => [`  ${status}`, n]),
      ["  of more than one attempt", deliveries.filter(({ attempts }) => attempts > 1).length],
      ["requests at receivers", trial.receptions],
      ["minutes of the gateway's clock for retries", Math.round(trial.runOut.tookMs / 60_000)],
    ]),
    section("What was done to the gateway", [...trial.faults.chaos].sort()),
    section("What its bindings, queues and objects did", [...trial.faults.gateway].sort()),
    section("What the files-creator did", [...trial.faults.filesCreator].sort()),
    section("What the receivers did", [...trial.faults.receivers].sort()),
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
  return `\n  ${"What must hold".padEnd(width + 2)}  ${"checked".padStart(7)}  ${"broken".padStart(6)}\n${lines.join("\n")}\n`;
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
