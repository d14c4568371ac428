/** Jobs and replays in words. Pure. */
import type { ShownJob } from "../../../portal/jobs/job-contract.ts";
import type { ShownReplay } from "../../../portal/webhooks/replay-contract.ts";
import { number } from "../../format.ts";

export const KINDS: Record<ShownJob["kind"], string> = {
  "deliveries.retry": "Retry of deliveries",
  "files.replay": "Replay of reports",
};

export const REPLAY_KINDS: Record<ShownReplay["only"], string> = {
  failed: "Replay of missed events",
  all: "Replay of all events",
};

const REASONS: Record<string, string> = {
  erased: "The connection or key was erased: its data key is gone, and nothing sealed with it can be opened.",
};

export function reasonWords(reason: string): string {
  return REASONS[reason] ?? reason;
}

/** Of a job: how many it has come past, whether it could queue them or not. */
export function handled({ done, skipped }: Pick<ShownJob, "done" | "skipped">): number {
  return done + skipped;
}

/** "37 of 412", or "37 of at least 1,000" where the count stopped there. */
export function progressWords(count: number, of: ShownJob["matched"]): string {
  if (typeof of === "number") return `${number(count)} of ${number(of)}`;
  return `${number(count)} of at least ${number(Number.parseInt(of, 10))}`;
}

const MINUTE_MS = 60_000;
/** A rate over less time says nothing. */
const SHORTEST_MS = 2_000;

/** How many a minute since it began; null where that says nothing yet. */
export function perMinute(count: number, beganAt: string, until: number): number | null {
  const ms = until - Date.parse(beganAt);
  return ms < SHORTEST_MS || count === 0 ? null : Math.round((count * MINUTE_MS) / ms);
}
