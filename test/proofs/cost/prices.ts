/**
 * Cloudflare's prices of the paid plan in dollars, beyond the included amounts, as of {@link AS_OF}. Look them up again before
 * relying on them: the prices of log lines and of stored gigabytes were not checked on that day.
 */
export const AS_OF = "2026-11-22";

/** Per million, unless the name gives another unit. */
export const PRICES = {
  /** Invocations of the Worker: requests, consumer batches, crons. A service binding costs nothing. */
  workerRequests: 0.3,
  workerCpuMs: 0.02,
  /** Every call to a method of an object, and every alarm. */
  objectRequests: 0.15,
  /** Gigabyte-seconds while an object works. One that is idle and may hibernate is not billed. */
  objectGigabyteSeconds: 12.5,
  /** `setAlarm` counts as one. */
  objectRowsWritten: 1,
  objectRowsRead: 0.001,
  d1RowsWritten: 1,
  d1RowsRead: 0.001,
  /** A message of up to 64 KB is written, read and deleted. */
  queueMessages: 3 * 0.4,
  bucketWrites: 4.5,
  bucketReads: 0.36,
  /** Beyond twenty million a month. */
  logLines: 0.6,
  bucketGigabyteMonth: 0.015,
  objectGigabyteMonth: 0.2,
} as const;

/** The memory that an object is billed for while it works, however much it uses. */
export const OBJECT_GIGABYTES = 0.128;
