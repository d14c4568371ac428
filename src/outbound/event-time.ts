/**
 * When an event happened, as its sender says: `created_at`, or `timestamp`, or both where they name one moment. Nothing is
 * stored, listed or kept by this time: that goes by when the event was stored. Pure.
 */
import * as z from "zod";
import { KEEP_EVENTS_MS } from "../maintenance/retention.ts";

/** A clock this far ahead is a usual clock: such a time counts as now. From the wire contract. */
export const MAX_AHEAD_MS = 300_000;
/** Of what was given, as much as an error repeats. */
const REPEATED_CHARS = 40;

const isoTime = z.iso.datetime({ offset: true });

export interface GivenTimes {
  created_at?: unknown;
  timestamp?: unknown;
}

export type EventTime =
  /** Milliseconds. */
  { ok: true; at: number } | { ok: false; field: "created_at" | "timestamp"; problem: string };

/** `now` where the sender gives no time. */
export function eventTime({ created_at, timestamp }: GivenTimes, now: number): EventTime {
  const given = new Map<"created_at" | "timestamp", number>();
  for (const [field, value] of [
    ["timestamp", timestamp],
    ["created_at", created_at],
  ] as const) {
    if (value === undefined) continue;
    const checked = checkTime(value, now);
    if ("problem" in checked) return { ok: false, field, problem: checked.problem };
    given.set(field, checked.at);
  }
  const [at = now, other = at] = given.values();
  if (at !== other) {
    const problem =
      "timestamp and created_at name different moments: send one of them, or the same moment in both";
    return { ok: false, field: "created_at", problem };
  }
  return { ok: true, at: Math.min(at, now) };
}

/**
 * When a file's event happened: as its sender says, or, where that is wrong or before the file was received, `ownTime`. A wrong
 * clock refuses no report on a file.
 */
export function fileEventTime(
  given: GivenTimes,
  { receivedAt, ownTime, now }: { receivedAt: number; ownTime: number; now: number },
): number {
  if (given.created_at === undefined && given.timestamp === undefined) return ownTime;
  const time = eventTime(given, now);
  return time.ok && time.at >= receivedAt ? time.at : ownTime;
}

function checkTime(value: unknown, now: number): { at: number } | { problem: string } {
  const parsed = isoTime.safeParse(value);
  if (!parsed.success)
    return {
      problem: `Must be a time with its offset such as 2026-03-16T10:30:00Z; received ${shown(value)}`,
    };
  const at = Date.parse(parsed.data);
  const ours = new Date(now).toISOString();
  if (at > now + MAX_AHEAD_MS)
    return {
      problem: `${parsed.data} is more than 5 minutes ahead of the gateway's time, ${ours}: check the sender's clock and offset, or leave the time out`,
    };
  if (at < now - KEEP_EVENTS_MS)
    return {
      problem: `${parsed.data} is more than 90 days back (the gateway's time is ${ours}): events are kept for 90 days`,
    };
  return { at };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > REPEATED_CHARS ? `${text.slice(0, REPEATED_CHARS)}…` : text;
}
