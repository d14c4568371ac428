/** The gateway's health, from the watch's last reading and the raised conditions. Pure. */
import { QUEUES, type QueueName, type Reading } from "./readings.ts";

/** The parts that can be late. Each is the name of a check, apart from the watch itself. */
export const LATE = [
  "watch",
  "cron",
  "files",
  "deliveries",
  "queues",
  "dead_letters",
  "stuck_files",
] as const;
export type Late = (typeof LATE)[number];

const MINUTE_MS = 60_000;
/** From the wire contract. */
const CRON_SILENT_MS = 5 * MINUTE_MS;
export const REPORT_WAITING_MS = 15 * MINUTE_MS;
export const DELIVERY_OVERDUE_MS = 5 * MINUTE_MS;
const QUEUE_LATE_MS = 5 * MINUTE_MS;
const DEFERRED_MS = 60 * MINUTE_MS;
/** After an older reading, the watch itself has stopped. */
export const READING_STALE_MS = 5 * MINUTE_MS;

export interface Observations {
  /** Null before the first reading. */
  reading: Reading | null;
  /** When the cron last ran. Null if it never did. */
  cronRanAt: number | null;
  /** Since when the watch reads each minute. */
  awakeSince: number;
  /** When the longest waiting report was accepted, of those that gates raised. Null if there is none. */
  oldestWaitingAt: number | null;
  /** Messages that reached a dead-letter queue within the hour. */
  deadLetters: number;
}

/** In `checks`, null means that the part could not be read, which counts as late. */
export interface Health {
  late: Late[];
  checks: {
    cron: { last_run_at: number | null };
    files: { oldest_waiting_seconds: number };
    deliveries: { oldest_overdue_seconds: number | null };
    queues: Record<QueueName, { backlog: number | null }>;
    dead_letters: number;
    stuck_files: number | null;
  };
}

export function healthOf(observed: Observations, now: number): Health {
  const { reading, cronRanAt, oldestWaitingAt, deadLetters } = observed;
  const database = reading?.database ?? null;
  // What was read is compared with the time of the reading: a delivery or message may have gone since.
  const readAt = reading?.at ?? now;
  const names = Object.keys(QUEUES) as QueueName[];
  const queues = names.map((name) => [name, reading?.queues[name] ?? null] as const);
  const isLate: Record<Late, boolean> = {
    watch: reading === null || now - reading.at > READING_STALE_MS,
    cron: isCronSilent(observed, now),
    files: oldestWaitingAt !== null && now - oldestWaitingAt > REPORT_WAITING_MS,
    deliveries: database === null || isOlder(database.oldestDueAt, DELIVERY_OVERDUE_MS, readAt),
    queues: queues.some(([, queue]) => queue === null || isOlder(queue.oldestAt, QUEUE_LATE_MS, readAt)),
    dead_letters: deadLetters > 0,
    stuck_files: database === null || isOlder(database.deferredSince, DEFERRED_MS, readAt),
  };
  return {
    late: LATE.filter((name) => isLate[name]),
    checks: {
      cron: { last_run_at: cronRanAt },
      files: { oldest_waiting_seconds: secondsSince(oldestWaitingAt, now) },
      deliveries: {
        oldest_overdue_seconds: database && secondsSince(database.oldestDueAt, readAt),
      },
      queues: Object.fromEntries(
        queues.map(([name, queue]) => [name, { backlog: queue?.backlog ?? null }]),
      ) as Health["checks"]["queues"],
      dead_letters: deadLetters,
      stuck_files: database?.stuckFiles ?? null,
    },
  };
}

/** A cron that has not run since the watch woke up is given the same time as one that has just run. */
export function isCronSilent(
  { cronRanAt, awakeSince }: Pick<Observations, "cronRanAt" | "awakeSince">,
  now: number,
): boolean {
  return isOlder(Math.max(cronRanAt ?? 0, awakeSince), CRON_SILENT_MS, now);
}

function isOlder(at: number | null, ms: number, now: number): boolean {
  return at !== null && now - at > ms;
}

function secondsSince(at: number | null, now: number): number {
  return at === null ? 0 : Math.max(0, Math.floor((now - at) / 1_000));
}
