/**
 * Invariants of counts: what the gateway counted against what senders heard. Each request is counted once, as accepted, as
 * duplicate or as refused. Pure.
 *
 * - Accepted reports are counted from the gates' rows: exactly.
 * - Duplicates and refusals are collected in the isolate and handed over every second. A kill loses what was not handed over
 *   yet: at most the responses of the {@link AT_RISK_MS} before it, which allows for a hand-over that failed and was repeated.
 * - A request that got no response may have been counted or not.
 * - A request that got 500 or 503 is counted as refused, and its report may have been accepted all the same: the gate's answer
 *   was lost. So is a report whose forwarding failed while its sender waited (502).
 */
import type { Check } from "./check.ts";
import type { CountsAtEnd, InboxReport } from "./orders.ts";
import type { Heard, SendingRecord } from "./record.ts";
import type { Connection } from "./reports.ts";

/** In real time. */
const AT_RISK_MS = 4_000;

export interface CountEvidence {
  connections: Connection[];
  record: SendingRecord;
  inboxes: InboxReport[];
  counts: CountsAtEnd;
  /** In real time. */
  killedAt: readonly number[];
}

/** The measure that a response is counted under. Null for a request that may be counted or not. */
function measureOf({ status, duplicate, code }: Heard): string | null {
  if (status === null || status === 502) return null;
  if (status < 300) return duplicate ? "duplicate" : "accepted";
  return `refused:${code}`;
}

export const COUNT_INVARIANTS: Record<string, Check<CountEvidence>> = {
  "accepted reports are counted exactly: as many as their gate has rows"({ inboxes, counts }) {
    const used = inboxes.filter(({ gate }) => gate !== "");
    const broken = used.flatMap(({ gate, rows }) => {
      const kept = rows.filter(({ state }) => state !== "dropped" && state !== "receiving").length;
      const counted = counts[gate]?.accepted ?? 0;
      return counted === kept ? [] : [`${gate} counts ${counted} accepted, and has ${kept}`];
    });
    return { checked: used.reduce((sum, { rows }) => sum + rows.length, 0), broken };
  },

  "each request is counted once among accepted, duplicate and refused, but for what a kill loses"(evidence) {
    const { connections, record, counts, killedAt } = evidence;
    const atRisk = ({ at }: Heard) => killedAt.some((kill) => at <= kill && at > kill - AT_RISK_MS);
    let checked = 0;
    const broken = connections.flatMap(({ id }) => {
      const heard = record.units
        .filter(({ connectionId }) => connectionId === id)
        .flatMap((unit) => unit.heard);
      const counted = counts[`connection:${id}`] ?? {};
      const open = heard.filter((answer) => measureOf(answer) === null).length;
      const unsure = heard.filter(({ status }) => status === 500 || status === 503).length;
      const byMeasure = Map.groupBy(heard, measureOf);
      const measures = Object.keys(counted).filter((name) =>
        /^(?:accepted|duplicate|refused:.*)$/.test(name),
      );
      for (const name of byMeasure.keys()) if (name !== null && !measures.includes(name)) measures.push(name);
      checked += heard.length;
      return measures.flatMap((name) => {
        const answers = byMeasure.get(name) ?? [];
        const n = counted[name] ?? 0;
        const least = name === "accepted" ? answers.length : answers.filter((each) => !atRisk(each)).length;
        const most = answers.length + open + (name === "accepted" ? unsure : 0);
        return n >= least && n <= most ? [] : [`${id} counts ${n} ${name}, not ${least} to ${most}`];
      });
    });
    return { checked, broken };
  },
};
