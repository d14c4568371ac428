/** Makes the series of the two business metrics that are not sums of counts. Pure. */
import { iso } from "../../http/iso.ts";
import type { Adoption } from "../../usage/adoption.ts";
import type { AuditedPart } from "../../usage/automation.ts";
import type { Split } from "./measures.ts";
import type { MetricSeries, MetricValue } from "./metric-contract.ts";
import type { Range } from "./metric-range.ts";
import { shareOf } from "./metric-values.ts";

/** One point, for the whole range. */
export function adoptionSeries({ connections, keys }: Adoption, { from }: Range): MetricSeries[] {
  const value = { ...shareOf(connections.count + keys.count, connections.of + keys.of), connections, keys };
  return [{ key: {}, points: [{ at: iso(from), value }], total: value }];
}

export function automationSeries(parts: readonly AuditedPart[], by: Split): MetricSeries[] {
  const groups = Map.groupBy(parts, ({ environment }) => (by === "environment" ? environment : null));
  return [...groups].map(([environment, some]) => ({
    key: environment === null ? {} : { environment },
    points: [...Map.groupBy(some, ({ at }) => at)].map(([at, of]) => ({ at: iso(at), value: automated(of) })),
    total: automated(some),
  }));
}

function automated(parts: readonly AuditedPart[]): MetricValue {
  const sum = (pick: (part: AuditedPart) => number) => parts.reduce((n, part) => n + pick(part), 0);
  const unknown = sum((part) => part.unknown);
  return {
    ...shareOf(
      sum((part) => part.automated),
      sum((part) => part.audits) - unknown,
    ),
    unknown,
  };
}
