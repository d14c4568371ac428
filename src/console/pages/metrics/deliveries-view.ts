/** Attempts at webhooks: what succeeded, what failed and why. */
import { type Asked, ask, asOfIn, failed, firstFailure } from "./ask-metric.ts";
import { breakdownOf } from "./breakdown.ts";
import { lineOf, periodsOf, timesOf } from "./metric-periods.ts";
import type { Part, View } from "./metrics-view.ts";

export async function deliveriesView(asked: Asked): Promise<View> {
  const { now } = asked;
  const [delivered, attempts, lost] = await Promise.all([
    ask<number>(asked, "delivered"),
    ask<number>(asked, "failed_attempts", { by: "cause" }),
    ask<number>(asked, "failed_deliveries"),
  ]);
  const causes = "Failed attempts, by cause";
  const parts: Part[] = [];
  if (delivered.ok && attempts.ok) {
    const periods = periodsOf(delivered.body, now);
    parts.push({
      kind: "chart",
      chart: {
        title: "Attempts",
        note: "Tests, retries and replays count, as in the log of deliveries.",
        ...timesOf(periods),
        kind: "bars",
        lines: [
          { label: "Delivered", meaning: "good", ...lineOf(periods, delivered.body) },
          { label: "Failed", meaning: "bad", ...lineOf(periods, attempts.body) },
        ],
      },
    });
  } else parts.push(firstFailure("Attempts", [delivered, attempts]));
  if (lost.ok) {
    const periods = periodsOf(lost.body, now);
    parts.push({
      kind: "chart",
      chart: {
        title: "Deliveries that failed with their last attempt",
        ...timesOf(periods),
        kind: "bars",
        lines: [{ label: "Failed for good", meaning: "bad", ...lineOf(periods, lost.body) }],
      },
    });
  } else parts.push(failed("Deliveries that failed with their last attempt", lost));
  parts.push(
    attempts.ok
      ? {
          kind: "breakdown",
          breakdown: breakdownOf(attempts.body, {
            title: causes,
            of: "Cause",
            key: "cause",
            empty: "No attempt failed in this time.",
            now,
          }),
        }
      : failed(causes, attempts),
  );
  return { asOf: asOfIn([delivered, attempts, lost]), parts };
}
