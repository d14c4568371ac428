/** What the Worker and a gate say to each other: plain data, structured-cloneable, no behaviour. */

import type { Bytes } from "../crypto/encoding.ts";
import type { Environment, GateAddress, Plan } from "../model.ts";
import type { RateStatus } from "./rate-window.ts";

/** What a gate keeps of its row in D1. The newest version it ever learned wins. */
export interface Snapshot {
  gate: GateAddress;
  version: number;
  plan: Plan;
  environment: Environment;
  retentionYears: number;
  /** Empty once the data key was erased: nothing that rests under it opens any more. */
  wrappedKey: string;
}

export type FileKind = "payroll_report" | "employee_sync";
export type FileStatus = "queued" | "processing" | "completed" | "failed";

/** What travels with a payload to the files-creator, and names it in the archive. */
export interface FileFacts {
  kind: FileKind;
  employerId: string;
  environment: Environment;
  /** The sender's own `Content-Type`, where it can travel in a header again. The payload is JSON in UTF-8 whatever it says. */
  contentType?: string;
  requestId: string;
  /** The id that the sender gave its request, where it gave one. */
  callerRequestId?: string;
  /** Bytes of the payload as received. */
  size: number;
  /** When the Worker had the whole request, ms. */
  receivedAt: number;
  /** An earlier file with the same bytes; set by the gate. */
  sameBodyAs?: string;
}

/** Made for every report, so it is as few values as can be: names and small arrays cost more to pass on than a payload. */
export interface Admission {
  /** What the caller knows of the gate's row: its version, or all of it for a gate that does not know that version. */
  known: number | Snapshot;
  fileId: string;
  /** {@link FileFacts} as JSON, as they will rest. */
  facts: string;
  /** The signature in lower-case hex. Absent for requests that carry a bearer key instead. */
  signed: { signature: string; timestampMs: number } | null;
  /** Fingerprints of the body and of the `Idempotency-Key`. */
  bodyMac: string;
  keyMac: string | null;
  /** What an equal body of the last hour makes of this one. `retry`: a repeat of one of the last minutes, without a key. */
  sameBody: "accept" | "deduplicate" | "retry";
  /** The sealed payload; null when it is too large for a row and will be put into the archive bucket. */
  sealed: Bytes | null;
}

export type Admitted =
  /** Stored: the 202 may be said. */
  | { outcome: "accepted"; rate: RateStatus; sameBodyAs?: string }
  /** A place is reserved: put the sealed payload at `place`, then commit. */
  | { outcome: "reserved"; place: string; rate: RateStatus; sameBodyAs?: string }
  /** A copy of a request whose payload is still on its way: put it under `fileId` at `place`, then commit. */
  | { outcome: "receiving"; fileId: string; place: string; rate: RateStatus }
  | { outcome: "repeat"; fileId: string; status: FileStatus; facts: FileFacts; rate: RateStatus }
  | { outcome: "conflict"; rate: RateStatus }
  | { outcome: "limited"; rate: RateStatus }
  | { outcome: "expired" }
  /** Another file has the place of this id: mint another. */
  | { outcome: "taken" }
  /** The caller's version is older than the gate's. */
  | { outcome: "stale" }
  /** The caller's version is newer than the gate's: it must be told. */
  | { outcome: "unknown_version" }
  | { outcome: "unavailable"; reason: "full" | "clock_skew" | "too_many_repeats" };

export type Charged = { outcome: "charged"; rate: RateStatus } | { outcome: "stale" };

/** Where a sealed payload lies in the archive bucket. */
export interface ArchiveLocation {
  key: string;
  offset: number;
  length: number;
}

export interface Claimed {
  fileId: string;
  token: string;
  attempt: number;
  generation: number;
  facts: FileFacts;
  /** Has been handed out several times without an answer: may be what kills the consumer. */
  suspect: boolean;
  payload: { sealed: Bytes } | { stored: ArchiveLocation };
}

export interface Claim {
  wrappedKey: string;
  files: Claimed[];
  /** Of the files asked for, whether they need forwarding or not. Absent where nothing is. */
  owed?: OwedEvent[];
}

export type OwedEventType = "file.uploaded" | "file.failed";
/** Why a file failed: the files-creator will never take it, or did not for a whole day. */
export type OwedEventReason = "refused" | "gave_up";

/** An event of a file that its owner's webhooks are still to hear of. */
export interface OwedEvent {
  fileId: string;
  type: OwedEventType;
  generation: number;
  /** Null where nothing failed. */
  reason: OwedEventReason | null;
  /** When it happened, ms. */
  at: number;
  facts: FileFacts;
}

export type Outcome =
  | { kind: "forwarded"; recordsTotal: number | null }
  /** The files-creator will never take it. `error` is its answer, sealed. */
  | { kind: "refused"; responseStatus: number; error: Bytes }
  /** Try again, not before `retryAfterMs` if it is given. */
  | { kind: "deferred"; responseStatus: number | null; retryAfterMs: number | null; error: Bytes }
  /** Not tried: the files-creator is down. Costs no attempt. */
  | { kind: "postponed"; retryAfterMs: number };

export interface Settled {
  /** False when the token was no longer the current one, or there was nothing left to settle. */
  applied: boolean;
  status: FileStatus;
  attempts: number;
  nextAttemptAt: number | null;
  /** What the file owes now. Absent where nothing is. */
  owed?: OwedEvent[];
}

/** A report of the files-creator about one file. */
export interface ProgressReport {
  eventId: string;
  status: Exclude<FileStatus, "queued">;
  recordsTotal?: number;
  recordsProcessed?: number;
  recordsFailed?: number;
}

/** A report of which webhooks are to hear, as its gate took it. */
export interface TakenReport {
  eventId: string;
  status: ProgressReport["status"];
  /** When the gate took it, ms. */
  at: number;
}

/** Where a report stands among the others on its file: webhooks hear of them in this order. */
export interface ReportOrder {
  at: number;
  /** Those before it that may not be stored yet. */
  before: TakenReport[];
  /** Event ids of those after it. */
  after: string[];
}

/** What a report came to. `order` is null where webhooks are not to hear of it: it is old news, or contradicts how the file ended. */
interface ReportedOn {
  status: FileStatus;
  facts: Pick<FileFacts, "employerId" | "receivedAt">;
  order: ReportOrder | null;
  /** What the file owes: to be stored before the report is. Absent where nothing is. */
  owed?: OwedEvent[];
}

export type Reported =
  /** `wasDeferred`: the file had been tried without success, so that operators were told of it. */
  | ({ outcome: "moved"; wasDeferred: boolean } & ReportedOn)
  | ({ outcome: "unmoved" | "repeat" } & ReportedOn)
  | { outcome: "unknown" };
export type Replayed = { outcome: "queued"; generation: number } | { outcome: "unknown" | "unsettled" };

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
  updatedAt: number;
}
