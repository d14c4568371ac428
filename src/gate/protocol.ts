/** The arguments and results of a gate's RPC methods: plain, structured-cloneable data. */

import type { Bytes } from "../crypto/encoding.ts";
import type { Environment, GateAddress, Plan, RateStatus } from "../model.ts";

/** What a gate keeps of its row in D1. The highest version that it has received wins. */
export interface Snapshot {
  gate: GateAddress;
  version: number;
  plan: Plan;
  environment: Environment;
  retentionYears: number;
  /** Empty once the data key has been erased: nothing sealed with it can be opened any more. */
  wrappedKey: string;
}

export type FileKind = "payroll_report" | "employee_sync";
export type FileStatus = "queued" | "processing" | "completed" | "failed";

/** A message on the field at `path`; with `employees`, such as `0-56,60`, on that field of each of these employees. */
export interface KeptWarning {
  message: string;
  path: string;
  employees?: string;
}

/** Metadata of a payload: sent to the files-creator with it, and stored with it in the archive. */
export interface FileFacts {
  kind: FileKind;
  employerId: string;
  environment: Environment;
  /** The sender's `Content-Type`, if it fits into a header. Whatever it says, the payload is JSON in UTF-8. */
  contentType?: string;
  requestId: string;
  /** The sender's own id for its request, if there was one. */
  callerRequestId?: string;
  /** Size of the received payload, in bytes. */
  size: number;
  /** When the Worker had read the whole request, in milliseconds. */
  receivedAt: number;
  /** The first product of the sender's user agent, and its country, determined by the platform. */
  userAgent?: string;
  country?: string;
  /** The sender's timestamp minus the server's clock, in milliseconds. */
  skewMs?: number;
  /** What the sender was told of the report's fields. Absent if there was nothing to tell. */
  warnings?: KeptWarning[];
  /** An earlier file with the same bytes. Set by the gate. */
  sameBodyAs?: string;
}

/** Sent for every report, so it has few fields: passing names and small arrays costs more than passing a payload. */
export interface Admission {
  /** What the caller knows of the gate's row: its version alone, or the whole snapshot if the gate may not know that version. */
  known: number | Snapshot;
  fileId: string;
  /** {@link FileFacts} as the JSON that is stored. */
  facts: string;
  /** The signature in lower-case hex. Null for a request with a bearer key. */
  signed: { signature: string; timestampMs: number } | null;
  /** Fingerprints of the body and of the `Idempotency-Key`. */
  bodyMac: string;
  keyMac: string | null;
  /**
   * How to treat a body that was received before within the hour. `retry`: as a repeat if it came within minutes and without an
   * `Idempotency-Key`.
   */
  sameBody: "accept" | "deduplicate" | "retry";
  /** The sealed payload. Null if it is too large for a row: then the caller puts it into the archive bucket. */
  sealed: Bytes | null;
}

export type Admitted =
  /** Stored: the caller may respond with 202. */
  | { outcome: "accepted"; rate: RateStatus; sameBodyAs?: string }
  /** Reserved: put the sealed payload under the object key `place`, then commit. */
  | { outcome: "reserved"; place: string; rate: RateStatus; sameBodyAs?: string }
  /** A repeat of a request whose payload has not arrived: seal it for `fileId`, put it under `place`, then commit. */
  | { outcome: "receiving"; fileId: string; place: string; rate: RateStatus }
  | { outcome: "repeat"; fileId: string; status: FileStatus; facts: FileFacts; rate: RateStatus }
  | { outcome: "conflict"; rate: RateStatus }
  | { outcome: "limited"; rate: RateStatus }
  | { outcome: "expired" }
  /** Another file has the row key of this id: mint another id. */
  | { outcome: "taken" }
  /** The caller's version of the row is older than the gate's. */
  | { outcome: "stale" }
  /** The caller's version of the row is newer than the gate's: repeat with the whole snapshot. */
  | { outcome: "unknown_version" }
  | { outcome: "unavailable"; reason: "full" | "clock_skew" | "too_many_repeats" };

export interface GateActivity {
  /** When the last report was accepted, ms. Null if the gate has none. */
  lastReportAt: number | null;
}

export type Charged = { outcome: "charged"; rate: RateStatus } | { outcome: "stale" };

/** Where a sealed payload is in the archive bucket. */
export interface ArchiveLocation {
  key: string;
  offset: number;
  length: number;
  /** When the object was stored, in milliseconds. Absent in rows of older code, and of restored files. */
  at?: number;
}

export interface Claimed {
  fileId: string;
  token: string;
  attempt: number;
  generation: number;
  facts: FileFacts;
  /** It was claimed several times and never settled, so it may be the file that crashes the consumer. */
  suspect: boolean;
  payload: { sealed: Bytes } | { stored: ArchiveLocation };
}

export interface Claim {
  wrappedKey: string;
  files: Claimed[];
  /** Unpublished events of all requested files, including those that need no forwarding. Absent if there are none. */
  owed?: OwedEvent[];
}

export type OwedEventType = "file.uploaded" | "file.failed";
/** Why a file failed: the files-creator rejected it for good, or did not accept it within a day. */
export type OwedEventReason = "refused" | "gave_up";

/** An event of a file that is not yet published to its owner's webhooks. */
export interface OwedEvent {
  fileId: string;
  type: OwedEventType;
  generation: number;
  /** Null for `file.uploaded`. */
  reason: OwedEventReason | null;
  /** When it happened, in milliseconds. */
  at: number;
  facts: FileFacts;
}

export type Outcome =
  | { kind: "forwarded"; recordsTotal: number | null }
  /** The files-creator rejected it for good. `error` is the sealed response. */
  | { kind: "refused"; responseStatus: number; error: Bytes }
  /** To be retried, not before `retryAfterMs` if that is given. */
  | { kind: "deferred"; responseStatus: number | null; retryAfterMs: number | null; error: Bytes }
  /** Not tried, because the files-creator is down. Does not count as an attempt. */
  | { kind: "postponed"; retryAfterMs: number };

export interface Settled {
  /** False if the token was no longer the current one, or the file was settled already. */
  applied: boolean;
  status: FileStatus;
  attempts: number;
  nextAttemptAt: number | null;
  /** The unpublished events of the file. Absent if there are none. */
  owed?: OwedEvent[];
}

/** How an attempt to forward a file ended. */
export interface AttemptRecord {
  generation: number;
  /** When its result was recorded, in milliseconds. */
  at: number;
  outcome: "forwarded" | "deferred" | "refused";
  /** Null without a response, and for an attempt that was successful. */
  responseStatus: number | null;
}

/** A status report of the files-creator about one file. */
export interface ProgressReport {
  eventId: string;
  status: Exclude<FileStatus, "queued">;
  recordsTotal?: number;
  recordsProcessed?: number;
  recordsFailed?: number;
}

/** A status report that is published to webhooks, as the gate recorded it. */
export interface TakenReport {
  eventId: string;
  status: ProgressReport["status"];
  /** When the gate recorded it, in milliseconds. */
  at: number;
}

/** The position of a status report among the others of its file: they are published in this order. */
export interface ReportOrder {
  at: number;
  /** The earlier ones whose events may not be stored yet. */
  before: TakenReport[];
  /** Event ids of the later ones. */
  after: string[];
}

/** `order` is null for a report that is not published: it is outdated, or contradicts the final status of the file. */
interface ReportedOn {
  status: FileStatus;
  facts: Pick<FileFacts, "employerId" | "environment" | "receivedAt">;
  order: ReportOrder | null;
  /** The unpublished events of the file, to be stored before the report. Absent if there are none. */
  owed?: OwedEvent[];
}

export type Reported =
  /** `wasDeferred`: an attempt to forward the file had failed, so it is on the operators' list. */
  | ({ outcome: "moved"; wasDeferred: boolean } & ReportedOn)
  | ({ outcome: "unmoved" | "repeat" } & ReportedOn)
  | { outcome: "unknown" };
export type Replayed = { outcome: "queued"; generation: number } | { outcome: "unknown" | "unsettled" };

/** Which files of a gate a bulk replay concerns. */
export interface ReplayWalk {
  /** The job that queues them. Null to find them only. */
  job: string | null;
  /** Files from `from` up to but not including `to`, both values of `seq`. */
  from: string;
  to: string;
  statuses: ("completed" | "failed")[];
  employerId: string | null;
  /** At most this many files. */
  limit: number;
}

export interface ReplayedFile {
  fileId: string;
  generation: number;
}

export type ReplayWalked =
  /** `next`: where to continue from. Null at the end of the range. */
  | { outcome: "walked"; files: ReplayedFile[]; next: string | null }
  /** So many files wait to be forwarded that no more are queued now. */
  | { outcome: "full" }
  /** The gate's data key has been erased: nothing can be opened any more. */
  | { outcome: "erased" };

/** A file as the archive describes it. */
export interface ArchivedFile {
  fileId: string;
  facts: FileFacts;
  stored: ArchiveLocation;
}

export type Restored =
  | { outcome: "restored"; files: ReplayedFile[] }
  | { outcome: "full" }
  | { outcome: "erased" };

export interface FileRecord {
  fileId: string;
  status: FileStatus;
  facts: FileFacts;
  generation: number;
  attempts: number;
  nextAttemptAt: number | null;
  recordsTotal: number | null;
  recordsProcessed: number | null;
  recordsFailed: number | null;
  /** Ids of the files-creator's reports, newest last. */
  reportIds: string[];
  /** The sender's timestamp. Null for a request with a bearer key, and for restored files. */
  signedAt: number | null;
  /** When the gate counted its request and stored its row. */
  admittedAt: number;
  /** When the current generation was queued. */
  queuedAt: number;
  /** The newest ones, oldest first. */
  tries: AttemptRecord[];
  /** When the files-creator first had it. Null for a file that it does not have, and for files of older code. */
  forwardedAt: number | null;
  /** When it was first completed. Null unless it is. */
  completedAt: number | null;
  /** Null unless it is failed. */
  failedAt: number | null;
  isArchived: boolean;
  /** Null if it is not archived, or was archived by older code. */
  archivedAt: number | null;
  /** When it is archived at the latest. Null if it is archived or not settled. */
  archiveDueAt: number | null;
  updatedAt: number;
}

export interface FileFilter {
  status: FileStatus | null;
  employerId: string | null;
  environment: Environment | null;
  /** Files that were minted from `since` up to but not including `until`, in milliseconds. */
  since: number;
  until: number | null;
}

export interface FileQuery extends FileFilter {
  /** The `seq` to continue after. Null for the first page, which has a count. */
  before: string | null;
  limit: number;
}

export interface FilePage {
  files: FileRecord[];
  /** The file to continue after. Null at the end of the list. */
  next: string | null;
  count: { found: number; complete: boolean } | null;
}
