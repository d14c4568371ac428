/**
 * Whether files may be tried while the files-creator is down for everyone: single probes with growing pauses, then a ramp
 * once it is back. Pure.
 */

export interface Course {
  /** Failures in a row, over all batches. */
  failures: number;
  /** Files that may be tried per interval; null while nothing is held back. */
  level: number | null;
  /** How many of them are left in the present interval. */
  left: number;
  /** When the next interval begins, ms. */
  nextAt: number;
  intervalMs: number;
  /** Whether a file was granted since the last failure: only then does another failure say anything new. */
  probed: boolean;
}

export const OPEN_COURSE: Course = {
  failures: 0,
  level: null,
  left: 0,
  nextAt: 0,
  intervalMs: 0,
  probed: false,
};

/** Fewer failures in a row may be the reports' own fault. */
const DOWN_AFTER_FAILURES = 5;
const FIRST_INTERVAL_MS = 1_000;
const LONGEST_INTERVAL_MS = 30_000;
const RAMP_INTERVAL_MS = 1_000;
/** From this many files per interval on, nothing is held back any more. */
const RAMPED_UP = 256;

/** How many of `wanted` files may be tried at `now`, and how long the others wait. Pure. */
export function permit(
  course: Course,
  wanted: number,
  now: number,
): { granted: number; retryAfterMs: number; course: Course } {
  if (course.level === null) return { granted: wanted, retryAfterMs: 0, course };
  const renewed =
    now < course.nextAt ? course : { ...course, left: course.level, nextAt: now + course.intervalMs };
  const granted = Math.min(wanted, renewed.left);
  const retryAfterMs = Math.max(RAMP_INTERVAL_MS, renewed.nextAt - now);
  return {
    granted,
    retryAfterMs,
    course: { ...renewed, left: renewed.left - granted, probed: renewed.probed || granted > 0 },
  };
}

/** What a batch learned: how many files the files-creator answered for, and how many it did not. Pure. */
export function observe(course: Course, answered: number, unanswered: number, now: number): Course {
  if (answered > 0) {
    const level = course.level === null ? RAMPED_UP : course.level * 2;
    if (level >= RAMPED_UP) return OPEN_COURSE;
    return {
      failures: 0,
      level,
      left: course.left,
      nextAt: Math.min(course.nextAt, now + RAMP_INTERVAL_MS),
      intervalMs: RAMP_INTERVAL_MS,
      probed: false,
    };
  }
  if (unanswered === 0) return course;
  const failures = course.failures + unanswered;
  if (failures < DOWN_AFTER_FAILURES && course.level === null) return { ...course, failures };
  // Batches that were under way when the outage began fail as well; that does not make it longer.
  if (course.level === 1 && !course.probed) return { ...course, failures };
  const intervalMs = Math.min(LONGEST_INTERVAL_MS, Math.max(FIRST_INTERVAL_MS, course.intervalMs * 2));
  return { failures, level: 1, left: 0, nextAt: now + intervalMs, intervalMs, probed: false };
}
