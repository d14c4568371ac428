/** The cost model: counts per report times prices. Pure. */
import { OBJECT_GIGABYTES, PRICES } from "./prices.ts";

/** Per report, as test/proofs/cost/cost.test.ts counts them. */
export interface Counts {
  /** Invocations of the Worker: for the POST, the consumer, and the files-creator's two reports. */
  workerRequests: number;
  /** Log lines. */
  logLines: number;
  /** Calls to objects, and their alarms. */
  objectRequests: number;
  objectRowsWritten: number;
  objectRowsRead: number;
  d1RowsRead: number;
  d1RowsWritten: number;
  queueMessages: number;
  /** Puts and deletes, which are billed as writes. */
  bucketWrites: number;
  bucketReads: number;
}

export const NOTHING: Counts = {
  workerRequests: 0,
  logLines: 0,
  objectRequests: 0,
  objectRowsWritten: 0,
  objectRowsRead: 0,
  d1RowsRead: 0,
  d1RowsWritten: 0,
  queueMessages: 0,
  bucketWrites: 0,
  bucketReads: 0,
};

/** The parts of the cost that are spent on what people see. The alarms that they cause are not included. */
export const PARTS = ["evidence", "counters", "watch"] as const;
export type Part = (typeof PARTS)[number];

/** How long an object works on a call, ms. Most of it is waiting until its writes are on disk in several places. */
export const OBJECT_CALL_MS = 10;

/** CPU of all invocations for one report, ms, by body size. Measured with the platform's local stand-ins, so an overestimate. */
const CPU_MS: readonly [bytes: number, ms: number][] = [
  [300, 4.8],
  [2_400, 5.5],
  [60_000, 7.8],
  [1_000_000, 71],
];

const RETENTION_MONTHS = 84;
const RECORD_MONTHS = 3;
/** A segment's manifest names each file. */
const MANIFEST_ENTRY_BYTES = 330;
const SEAL_BYTES = 29;

export type Line = [what: string, dollars: number];

/** Dollars a month for the watch and the cron's call to it, whatever the traffic. test/integration/watch/health.test.ts counts a minute. */
export function watchMonth(): number {
  const MINUTES = 43_800;
  const counts = { ...NOTHING, objectRequests: 2 * MINUTES, objectRowsWritten: 3 * MINUTES };
  return sum(operations(counts, null)) / 1e6;
}

/** Dollars per million reports for one part, without its CPU. */
export function partOf(counts: Partial<Counts>): number {
  return sum(operations({ ...NOTHING, ...counts }, null));
}

/** Dollars per million reports, by item. `bodyBytes`: null leaves CPU out. */
export function operations(counts: Counts, bodyBytes: number | null): Line[] {
  const gigabyteSeconds = counts.objectRequests * (OBJECT_CALL_MS / 1_000) * OBJECT_GIGABYTES;
  return [
    ["rows written", counts.objectRowsWritten * PRICES.objectRowsWritten],
    ["queue", counts.queueMessages * PRICES.queueMessages],
    ["requests", counts.workerRequests * PRICES.workerRequests],
    ["object calls", counts.objectRequests * PRICES.objectRequests],
    ["CPU", bodyBytes === null ? 0 : cpuMs(bodyBytes) * PRICES.workerCpuMs],
    ["object time", gigabyteSeconds * PRICES.objectGigabyteSeconds],
    ["bucket", counts.bucketWrites * PRICES.bucketWrites + counts.bucketReads * PRICES.bucketReads],
    ["rows read", counts.objectRowsRead * PRICES.objectRowsRead],
    ["D1", counts.d1RowsRead * PRICES.d1RowsRead + counts.d1RowsWritten * PRICES.d1RowsWritten],
  ];
}

/** Dollars for storing a million reports: payloads for seven years, records for 90 days. */
export function keeping(bodyBytes: number, recordBytes: number): Line[] {
  const gigabytes = (bytes: number) => (bytes * 1e6) / 1e9;
  const archived = gigabytes(bodyBytes + SEAL_BYTES + MANIFEST_ENTRY_BYTES);
  return [
    ["bucket, 7 years", archived * PRICES.bucketGigabyteMonth * RETENTION_MONTHS],
    ["records, 90 days", gigabytes(recordBytes) * PRICES.objectGigabyteMonth * RECORD_MONTHS],
  ];
}

/** Dollars for the log lines of a million reports, beyond the included lines. */
export function logging(counts: Counts): number {
  return counts.logLines * PRICES.logLines;
}

export function sum(lines: readonly Line[]): number {
  return lines.reduce((total, [, dollars]) => total + dollars, 0);
}

/** Interpolates linearly between two measurements. */
function cpuMs(bytes: number): number {
  const above = CPU_MS.findIndex(([size]) => size >= bytes);
  const [highSize, highMs] = CPU_MS[above] ?? CPU_MS.at(-1) ?? [1, 0];
  const [lowSize, lowMs] = CPU_MS[above - 1] ?? [0, highMs];
  return lowMs + ((highMs - lowMs) * (Math.min(bytes, highSize) - lowSize)) / (highSize - lowSize || 1);
}
