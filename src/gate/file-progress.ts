/** A file's progress: what the status reports of the files-creator add up to, and the order in which they are published. Pure. */
import type { AttemptRecord, FileStatus, ProgressReport, ReportOrder, TakenReport } from "./protocol.ts";

/** Attempts to forward one file. A file that the files-creator does not accept gets about thirty in a day. */
const KEPT_ATTEMPTS = 20;

/** A file gets a handful of reports. Only this many of the newest are kept. */
const KEPT_REPORTS = 16;

/**
 * How long a report waits for an earlier report whose event may not be stored. The sender of the earlier report retries it within
 * minutes. After this time the gate stops waiting, so that the file is not stuck.
 */
const WAITS_FOR_EARLIER_MS = 600_000;

/** The status reports of the files-creator and the times they led to, stored as one JSON column. */
export interface FileProgress {
  recordsTotal: number | null;
  recordsProcessed: number | null;
  recordsFailed: number | null;
  /** Ids of the reports already recorded, newest last. */
  eventIds: string[];
  /** The reports that are published to webhooks, newest last. Absent if there are none. */
  reports?: TakenReport[];
  /**
   * From the request's arrival to the acceptance, ms. Absent if the wake-up that says it was lost. The name is short because a longer
   * one makes one row less fit on a page of SQLite.
   */
  ms?: number;
  /** When the files-creator first had the file. Absent before that, and in rows of older code. A replay keeps it. */
  forwardedAt?: number;
  /**
   * The newest attempts to forward the file, oldest first. Absent while the only one is that at `forwardedAt`, as for most files, and in
   * rows of older code.
   */
  tries?: AttemptRecord[];
  /** When the file was first completed, once it has been replayed: before that, it is the row's `updated_at`. */
  completedAt?: number;
  /** The bulk replay that queued the file last. */
  job?: string;
  /** The row was purged, and made again from the archive. */
  restored?: true;
}

export const NO_PROGRESS: FileProgress = {
  recordsTotal: null,
  recordsProcessed: null,
  recordsFailed: null,
  eventIds: [],
};

/** The progress of a file once it has got `report`. */
export function progressWith(
  report: ProgressReport,
  known: FileProgress,
  reports: TakenReport[] | undefined,
): FileProgress {
  return {
    recordsTotal: report.recordsTotal ?? known.recordsTotal,
    recordsProcessed: report.recordsProcessed ?? known.recordsProcessed,
    recordsFailed: report.recordsFailed ?? known.recordsFailed,
    eventIds: [...known.eventIds, report.eventId].slice(-KEPT_REPORTS),
    ...(reports && { reports }),
    ...keptOf(known),
  };
}

/** The progress of a file that is queued again. Reports that are repeated then concern the previous generation. */
export function replayedProgress(
  known: FileProgress,
  wasCompletedAt: number | null,
  job: string | null,
): FileProgress {
  const { job: _earlier, ...kept } = keptOf(known);
  return {
    ...NO_PROGRESS,
    eventIds: known.eventIds,
    ...(known.reports && { reports: known.reports }),
    ...kept,
    ...(job !== null && { job }),
    ...(known.completedAt === undefined && wasCompletedAt !== null && { completedAt: wasCompletedAt }),
  };
}

/** Fields of {@link FileProgress} that no report changes. */
function keptOf({ ms, forwardedAt, tries, completedAt, job, restored }: FileProgress): Partial<FileProgress> {
  return {
    ...(tries !== undefined && { tries }),
    ...(ms !== undefined && { ms }),
    ...(forwardedAt !== undefined && { forwardedAt }),
    ...(completedAt !== undefined && { completedAt }),
    ...(job !== undefined && { job }),
    ...(restored !== undefined && { restored }),
  };
}

/** The attempts that are known, oldest first. */
export function attemptsIn({ tries, forwardedAt }: FileProgress): AttemptRecord[] {
  if (tries !== undefined) return tries;
  return forwardedAt === undefined
    ? []
    : [{ generation: 1, at: forwardedAt, outcome: "forwarded", responseStatus: null }];
}

/** `known` with one more attempt. The first of most files is the last as well: `forwardedAt` alone says it. */
export function withAttempt(known: FileProgress, attempt: AttemptRecord): FileProgress {
  const isFirst = attempt.generation === 1 && known.tries === undefined;
  if (isFirst && attempt.outcome === "forwarded")
    return { ...known, forwardedAt: known.forwardedAt ?? attempt.at };
  const tries = [...attemptsIn(known), attempt].slice(-KEPT_ATTEMPTS);
  return {
    ...known,
    tries,
    ...(attempt.outcome === "forwarded" && { forwardedAt: known.forwardedAt ?? attempt.at }),
  };
}

/** The kept reports with `report` as the newest. */
export function reportsWith(
  { eventId, status }: ProgressReport,
  kept: readonly TakenReport[] = [],
  now: number,
): TakenReport[] {
  return [...kept, { eventId, status, at: now }].slice(-KEPT_REPORTS);
}

/** The position of a report among the kept reports. Null for a report that is not among them. */
export function orderOf(
  eventId: string,
  reports: readonly TakenReport[] = [],
  now: number,
): ReportOrder | null {
  const place = reports.findIndex((each) => each.eventId === eventId);
  const report = reports[place];
  if (report === undefined) return null;
  return {
    at: report.at,
    before: reports.slice(0, place).filter(({ at }) => at > now - WAITS_FOR_EARLIER_MS),
    after: reports.slice(place + 1).map(({ eventId }) => eventId),
  };
}

/** The position of a report that changes no status and is not kept. Null if the file has gone past the reported status. */
export function orderOfUnkept(
  { status }: ProgressReport,
  reached: FileStatus,
  at: number,
): ReportOrder | null {
  return reached === status || reached === "queued" ? { at, before: [], after: [] } : null;
}

export function sameCounts(a: FileProgress, b: FileProgress): boolean {
  return (
    a.recordsTotal === b.recordsTotal &&
    a.recordsProcessed === b.recordsProcessed &&
    a.recordsFailed === b.recordsFailed
  );
}
