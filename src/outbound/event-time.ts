/**
 * When an event happened, according to its sender: `created_at`, or `timestamp`, or both where they name the same moment. Order,
 * lists and retention go by the time of storing instead. Pure.
 */
import * as z from "zod";
import { KEEP_EVENTS_MS } from "../db/events.ts";
import { err, ok, type Result } from "../result.ts";

/** Clocks are commonly this far ahead: such a time counts as now. From the wire contract. */
export const MAX_AHEAD_MS = 300_000;
/** How much of the given value an error repeats. */
const REPEATED_CHARS = 40;

const isoTime = z.iso.datetime({ offset: true });

export interface GivenTimes {
  created_at?: unknown;
  timestamp?: unknown;
}

export interface TimeProblem {
  field: keyof GivenTimes;
  message: string;
}

/** Milliseconds; `now` if the sender gives no time. */
export function eventTime({ created_at, timestamp }: GivenTimes, now: number): Result<number, TimeProblem> {
  const given = new Map<keyof GivenTimes, number>();
  for (const [field, value] of [
    ["timestamp", timestamp],
    ["created_at", created_at],
  ] as const) {
    if (value === undefined) continue;
    const checked = checkTime(value, now);
    if (!checked.ok) return err({ field, message: checked.error });
    given.set(field, checked.value);
  }
  const [at = now, other = at] = given.values();
  if (at !== other) {
    const message =
      "timestamp and created_at name different moments: send one of them, or the same moment in both";
    return err({ field: "created_at", message });
  }
  return ok(Math.min(at, now));
}

/**
 * When a file's event happened: the sender's time, or `ownTime` where that is invalid or before the file was received. A wrong
 * clock never causes a report on a file to be rejected.
 */
export function fileEventTime(
  given: GivenTimes,
  { receivedAt, ownTime, now }: { receivedAt: number; ownTime: number; now: number },
): number {
  if (given.created_at === undefined && given.timestamp === undefined) return ownTime;
  const time = eventTime(given, now);
  return time.ok && time.value >= receivedAt ? time.value : ownTime;
}

function checkTime(value: unknown, now: number): Result<number, string> {
  const parsed = isoTime.safeParse(value);
  if (!parsed.success)
    return err(`Must be a time with its offset such as 2026-03-16T10:30:00Z; received ${shown(value)}`);
  const at = Date.parse(parsed.data);
  const ours = new Date(now).toISOString();
  if (at > now + MAX_AHEAD_MS)
    return err(
      `${parsed.data} is more than 5 minutes ahead of the gateway's time, ${ours}: check the sender's clock and offset, or leave the time out`,
    );
  if (at < now - KEEP_EVENTS_MS)
    return err(
      `${parsed.data} is more than 90 days back (the gateway's time is ${ours}): events are kept for 90 days`,
    );
  return ok(at);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > REPEATED_CHARS ? `${text.slice(0, REPEATED_CHARS)}…` : text;
}
