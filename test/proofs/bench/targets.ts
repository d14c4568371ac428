/** The targets, and whether a run met them. A missed target is shown and fails nothing, because machines differ. */
import { BESIDE_REFUSALS, nameOf, OTHER_SIZES, REFUSALS, refusalOf } from "./acceptance.ts";
import type { Flood } from "./flood.ts";
import { NEIGHBOURS_PER_SECOND, WAITING } from "./outbound/fairness.ts";
import { WEBHOOKS } from "./outbound/fan-out.ts";
import type { Outbound } from "./outbound/measure.ts";
import { EVENTS_PER_SECOND } from "./outbound/steady.ts";
import { DUE } from "./outbound/sweep.ts";
import type { Samples } from "./samples.ts";
import type { WholePath } from "./whole-path.ts";

export interface Target {
  what: string;
  /** In the target's own unit. */
  measured: number;
  /** Null for a value that is only reported. */
  bound: { at: "least" | "most"; value: number } | null;
  unit: "×" | "ms" | "s" | "MiB" | "/s";
}

const least = (value: number) => ({ at: "least" as const, value });
const most = (value: number) => ({ at: "most" as const, value });

export interface Inbound {
  samples: Samples;
  /** Whether another checkout was measured too. */
  compared: boolean;
  flood: Flood;
  wholePath: WholePath;
}

export function inboundTargets({ samples, compared, flood, wholePath }: Inbound): Target[] {
  const ratio = (name: string, to: string, figure: "perSecond" | "p99Ms" = "perSecond") =>
    samples.ratio(name, to, figure).median;
  return [
    {
      what: "acceptance / floor, 2.4 KB, reports a second (aim 0.85)",
      measured: ratio(nameOf("gateway"), nameOf("floor")),
      bound: least(0.75),
      unit: "×",
    },
    ...(compared
      ? (["perSecond", "p99Ms"] as const).map((figure) => ({
          what: `acceptance / acceptance of the other checkout, 2.4 KB, ${figure === "p99Ms" ? "p99" : "reports a second"}`,
          measured: ratio(nameOf("gateway"), nameOf("gateway, other checkout"), figure),
          bound: null,
          unit: "×" as const,
        }))
      : []),
    {
      what: "acceptance / floor, 2.4 KB, p99",
      measured: ratio(nameOf("gateway"), nameOf("floor"), "p99Ms"),
      bound: most(1.5),
      unit: "×",
    },
    ...(["payroll", "employees"] as const).map((sent) => ({
      what: `acceptance under a key, ${sent} read strictly / floor, 2.4 KB, answers a second`,
      measured: ratio(nameOf(`gateway, ${sent} under a key`), nameOf("floor")),
      bound: least(0.7),
      unit: "×" as const,
    })),
    ...Object.keys(OTHER_SIZES).map((size) => ({
      what: `acceptance / floor, ${size}, reports a second`,
      measured: ratio(nameOf("gateway", size), nameOf("floor", size)),
      bound: null,
      unit: "×" as const,
    })),
    ...REFUSALS.map((kind) => ({
      what: `refusal / acceptance, ${kind}, answers a second`,
      measured: ratio(refusalOf(kind), BESIDE_REFUSALS),
      bound: least(1),
      unit: "×" as const,
    })),
    {
      what: "acceptance beside three times as many clients with bad signatures / what its share of the CPU allows",
      measured: flood.share.median,
      bound: least(0.8),
      unit: "×",
    },
    {
      what: "whole path, from the 202 to the files-creator at 50 a second, p50",
      measured: wholePath.steady.p50Ms,
      bound: most(100),
      unit: "ms",
    },
    {
      what: "whole path, from the 202 to the files-creator at 50 a second, p99",
      measured: wholePath.steady.p99Ms,
      bound: most(1_000),
      unit: "ms",
    },
    {
      what: "whole path, from POST to file written, the gateway in one process, the files-creator in another",
      measured: wholePath.filesPerSecond,
      bound: null,
      unit: "/s",
    },
    {
      what: "acceptance / Express, 2.4 KB, reports a second",
      measured: ratio(nameOf("gateway"), nameOf("express")),
      bound: null,
      unit: "×",
    },
  ];
}

export function outboundTargets({ deliveries, sweeps, fanOut, steady, fairness }: Outbound): Target[] {
  return [
    {
      what: "deliveries / floor, deliveries a second",
      measured: deliveries.ratio.median,
      bound: least(0.6),
      unit: "×",
    },
    ...sweeps.flatMap(({ endpoints, seconds, restingMiB, peakMiB }): Target[] => [
      {
        what: `sweep with ${DUE} deliveries due at ${endpoints} endpoints, until all are woken`,
        measured: seconds,
        bound: most(60),
        unit: "s",
      },
      {
        what: `sweep with ${DUE} deliveries due at ${endpoints} endpoints, memory`,
        measured: peakMiB - restingMiB,
        bound: most(32),
        unit: "MiB",
      },
    ]),
    {
      what: `fan-out of one event to ${WEBHOOKS} webhooks, until its deliveries are stored`,
      measured: fanOut.storedMs.median,
      bound: most(2_000),
      unit: "ms",
    },
    {
      what: `fan-out of one event to ${WEBHOOKS} webhooks, until all have received it`,
      measured: fanOut.receivedMs.median,
      bound: null,
      unit: "ms",
    },
    {
      what: `from POST /events to receipt at ${EVENTS_PER_SECOND} a second, p50`,
      measured: steady.p50Ms,
      bound: most(150),
      unit: "ms",
    },
    {
      what: `from POST /events to receipt at ${EVENTS_PER_SECOND} a second, p99`,
      measured: steady.p99Ms,
      bound: null,
      unit: "ms",
    },
    {
      what: `what an endpoint that hangs with ${WAITING} deliveries waiting adds to others' at ${NEIGHBOURS_PER_SECOND} a second, p50`,
      measured: fairness.beside.p50Ms - fairness.alone.p50Ms,
      bound: most(1_000),
      unit: "ms",
    },
  ];
}

export function verdictOf({ measured, bound }: Target): "met" | "missed" | "" {
  if (bound === null) return "";
  return (bound.at === "least" ? measured >= bound.value : measured <= bound.value) ? "met" : "missed";
}
