/** Formats the results of a run as text. Pure. */
import type { Flood } from "./flood.ts";
import { ENDPOINTS } from "./outbound/deliveries.ts";
import { NEIGHBOURS_PER_SECOND, WAITING } from "./outbound/fairness.ts";
import { WEBHOOKS } from "./outbound/fan-out.ts";
import type { Outbound } from "./outbound/measure.ts";
import { EVENTS_PER_SECOND, type Waits } from "./outbound/steady.ts";
import { DUE } from "./outbound/sweep.ts";
import type { Samples } from "./samples.ts";
import type { Summary } from "./statistics.ts";
import { type Target, verdictOf } from "./targets.ts";
import { STEADY_PER_SECOND, type WholePath } from "./whole-path.ts";

export function samplesTable(samples: Samples): string {
  const rows = samples.names().map((name) => [
    name,
    spread(samples.figure(name, "perSecond"), 0),
    shown(samples.figure(name, "p50Ms").median, 1),
    shown(samples.figure(name, "p99Ms").median, 1),
    shown(samples.figure(name, "cpuPer10k").median, 2),
    Object.entries(samples.statuses(name))
      .map(([status, count]) => `${status === "0" ? "broken" : status}: ${count}`)
      .join(", "),
  ]);
  return table(["", "answers a second", "p50 ms", "p99 ms", "CPU s per 10 000", "answers"], rows);
}

export function floodLines(flood: Flood): string {
  return [
    `Accepted a second: ${spread(flood.alone, 0)} where all 16 clients are honest, ${spread(flood.flooded, 0)} where 4 are and the other 12`,
    `send bad signatures for the same connection, which got ${spread(flood.flood, 0)} answers a second.`,
    `That is ${spread(flood.share, 2)} of what a quarter of the CPU allows.`,
  ].join("\n");
}

export function wholePathLines({ files, filesPerSecond, steady }: WholePath): string {
  return [
    `${files} reports sent as fast as they were accepted: ${shown(filesPerSecond, 0)} a second became files of the stand-in for local development, in a process of its own.`,
    `${steady.reports} reports at ${STEADY_PER_SECOND} a second, from the 202 to a files-creator that costs next to nothing: p50 ${shown(steady.p50Ms, 0)} ms, p99 ${shown(steady.p99Ms, 0)} ms, worst ${shown(steady.worstMs, 0)} ms.`,
  ].join("\n");
}

export function outboundLines({ deliveries, sweeps, fanOut, steady, fairness }: Outbound): string {
  const { floor, gateway, ratio, cpuPer10k, deliveriesPerTurn } = deliveries;
  return [
    `${deliveriesPerTurn} deliveries a turn to ${ENDPOINTS} endpoints at one receiver on loopback, six requests at a time: ${spread(gateway, 0)} a second`,
    `(${spread(cpuPer10k.gateway, 1)} s of CPU for 10 000), ${spread(floor, 0)} (${spread(cpuPer10k.floor, 1)} s) by a floor whose consumer only posts as much: ${spread(ratio, 2)}.`,
    "The floor keeps nothing; locally, D1 is in the gateway's own process and thread.",
    `One event to ${WEBHOOKS} webhooks: ${spread(fanOut.storedMs, 0)} ms until its deliveries are stored, ${spread(fanOut.receivedMs, 0)} ms until all have received it.`,
    `${EVENTS_PER_SECOND} events a second, from POST to receipt: ${waits(steady)}.`,
    `${NEIGHBOURS_PER_SECOND} events a second to endpoints that work: ${waits(fairness.alone)};`,
    `beside one that hangs for 10 s each time, ${WAITING} deliveries waiting, not yet known to be slow: ${waits(fairness.beside)}.`,
    "The sweep only wakes endpoints. The consumers read the due deliveries, so the sweep holds endpoint ids and no deliveries:",
    ...sweeps.map(
      ({ endpoints, seconds, restingMiB, peakMiB }) =>
        `${DUE} due at ${endpoints} endpoints: all woken after ${shown(seconds, 1)} s; the isolate held ${shown(restingMiB, 0)} MiB before, ${shown(peakMiB, 0)} MiB at most.`,
    ),
  ].join("\n");
}

export function targetsTable(targets: readonly Target[]): string {
  const rows = targets.map((target) => {
    const { what, measured, bound, unit } = target;
    const digits = unit === "×" ? 2 : unit === "s" ? 1 : 0;
    return [
      what,
      `${shown(measured, digits)} ${unit}`,
      bound === null ? "" : `${bound.at === "least" ? "≥" : "≤"} ${bound.value} ${unit}`,
      verdictOf(target),
    ];
  });
  return table(["", "measured", "target", ""], rows);
}

function waits({ p50Ms, p99Ms, worstMs }: Waits): string {
  return `p50 ${shown(p50Ms, 0)} ms, p99 ${shown(p99Ms, 0)} ms, worst ${shown(worstMs, 0)} ms`;
}

/** The median, and the middle half. */
function spread({ median, low, high, turns }: Summary, digits: number): string {
  const range = turns > 1 ? ` (${shown(low, digits)}–${shown(high, digits)})` : "";
  return shown(median, digits) + range;
}

function shown(value: number, digits: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(digits);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
