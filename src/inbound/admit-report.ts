/**
 * From a verified report to its row: mint the file id, seal the payload, one call to the gate. Large payloads are put into
 * the archive bucket between a reservation and a commit. Used by every door that takes reports.
 */
import { limitsOf, unbounded } from "../bounded.ts";
import { payloadContext } from "../crypto/contexts.ts";
import { type Bytes, concat, discard } from "../crypto/encoding.ts";
import { type DataKey, fingerprint, SEAL_OVERHEAD_BYTES, seal, sealInParts } from "../crypto/vault.ts";
import { DeadlineExceeded, isOutage, r2DeadlineMs, withDeadline } from "../deadline.ts";
import type { Bindings } from "../env.ts";
import { segmentTrailer } from "../gate/archive-format.ts";
import type { ConnectionGate } from "../gate/connection-gate.ts";
import { mintFileId } from "../gate/file-id.ts";
import type { Admission, Admitted, FileFacts, FileStatus, Snapshot } from "../gate/protocol.ts";
import type { RateStatus } from "../gate/rate-window.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { type GateAddress, gateName } from "../model.ts";
import { lateFailure } from "./signature.ts";

/** Larger payloads rest in the bucket: ten thousand of them would fill an object. */
export const INLINE_UP_TO_BYTES = 64 * 1024;

/** Who put a payload too late looks after it for this many times its deadline, as long as an invocation outlives its answer. */
const LATE_PUT_FACTOR = 4;
const LATEST_PUT_MS = 25_000;

/** Joining larger payloads would take more memory than it saves work. */
const JOIN_UP_TO_BYTES = 1024 ** 2;

export interface Sender {
  gate: GateAddress;
  snapshot: Snapshot;
  dataKey: DataKey;
}

export interface VerifiedReport {
  facts: FileFacts;
  signed: Admission["signed"];
  body: Bytes;
  keyMac: string | null;
  sameBody: Admission["sameBody"];
}

export type AdmittedReport =
  | {
      fileId: string;
      status: FileStatus;
      duplicate: boolean;
      /** Whether this request made the file ready to be forwarded, so that the consumer has to be woken. */
      ready: boolean;
      employerId: string;
      receivedAt: number;
      sameBodyAs?: string;
      rate: RateStatus;
    }
  /** `revisit`: the gate knows a newer row than the caller. */
  | { failure: Failure; revisit: boolean; rate?: RateStatus };

/** Makes a new stub: one that met a reset of its object fails ever after. */
type GateStub = () => DurableObjectStub<ConnectionGate>;

/** Snapshots that their gates know, so that the version says it all. */
const knownToGate = new WeakSet<Snapshot>();

export interface AdmitDeps {
  env: Bindings;
  /** Keeps work going beside the answer. */
  waitUntil(work: Promise<unknown>): void;
}

/** What is not known to be accepted is a 503. Rejects for a bug in the gate only, on which nothing was stored. */
export async function admitReport(
  sender: Sender,
  report: VerifiedReport,
  deps: AdmitDeps,
): Promise<AdmittedReport> {
  const { env } = deps;
  const { gate, snapshot, dataKey } = sender;
  const { facts, signed, body, keyMac, sameBody } = report;
  const fileId = mintFileId(gate, Date.now());
  const inline = body.byteLength <= INLINE_UP_TO_BYTES;
  const [bodyMac, sealed] = await Promise.all([
    fingerprint(dataKey, body),
    inline ? seal(dataKey, body, payloadContext(gate, fileId)) : null,
  ]);
  const stub = () => env.CONNECTION_GATE.getByName(gateName(gate));
  const admission: Omit<Admission, "known"> = {
    fileId,
    facts: JSON.stringify(facts),
    signed,
    bodyMac,
    keyMac,
    sameBody,
    sealed,
  };
  const admit = (known: Admission["known"]) =>
    withOneRetry<Admitted>(() => stub().admit({ ...admission, known }), fileId);
  let called = await admit(knownToGate.has(snapshot) ? snapshot.version : snapshot);
  if (called.answer?.outcome === "unknown_version") called = await admit(snapshot);
  const { answer: admitted, again } = called;
  if (admitted === null || admitted.outcome === "unknown_version") return unavailable(5);
  knownToGate.add(snapshot);

  switch (admitted.outcome) {
    case "accepted":
      return newFile(fileId, facts, admitted);
    case "repeat": {
      const { fileId: first, status, rate } = admitted;
      return { fileId: first, status, duplicate: true, ready: false, ...named(admitted.facts, {}), rate };
    }
    case "reserved": {
      const stored = await store(stub, deps, admitted.place, sender, fileId, facts, body);
      if (!stored) return unavailable(5);
      return newFile(fileId, facts, admitted);
    }
    case "receiving": {
      const stored = await store(stub, deps, admitted.place, sender, admitted.fileId, facts, body);
      if (!stored) return unavailable(5);
      return { ...newFile(admitted.fileId, facts, admitted), duplicate: true };
    }
    case "conflict":
      return { failure: { kind: "key_reused" }, revisit: false, rate: admitted.rate };
    case "limited":
      return {
        failure: { kind: "rate_limited", rate: admitted.rate, now: Date.now() },
        revisit: false,
        rate: admitted.rate,
      };
    case "expired":
      // The call without an answer may have come in time: the report may be stored.
      if (again) return unavailable(5);
      return { failure: expiredAt(signed, Date.now()), revisit: false };
    case "taken":
      return admitReport(sender, report, deps);
    case "stale":
      return { ...unavailable(1), revisit: true };
    case "unavailable":
      logError("a gate turned a report away", { gate: gate.id, reason: admitted.reason });
      return unavailable(60);
  }
}

/** The gate's clock decides. Where this one's still says that the timestamp is in time, it is about to run out. */
function expiredAt(signed: VerifiedReport["signed"], now: number): Failure {
  const timestampMs = signed?.timestampMs ?? 0;
  const reason = timestampMs > now ? "clock_ahead" : "clock_behind";
  return (
    lateFailure(timestampMs, now) ?? {
      kind: "timestamp_expired",
      reason,
      aheadMs: timestampMs - now,
      serverTimeMs: now,
    }
  );
}

/** Puts the payload at its place in the archive, as a segment of its own, and commits the reservation. */
async function store(
  stub: GateStub,
  deps: AdmitDeps,
  place: string,
  { gate, dataKey }: Sender,
  fileId: string,
  facts: FileFacts,
  body: Bytes,
): Promise<boolean> {
  const { ARCHIVE: archive } = deps.env;
  const sealed = await sealInParts(dataKey, body, payloadContext(gate, fileId));
  const entry = { fileId, ...facts, offset: 0, length: body.byteLength + SEAL_OVERHEAD_BYTES };
  const parts = [...sealed, segmentTrailer({ gate: gateName(gate), files: [entry] })];
  const deadlineMs = r2DeadlineMs(limitsOf(deps.env), body.byteLength);
  const late = new AbortController();
  const put = putParts(unbounded(deps.env).ARCHIVE, place, parts, late.signal);
  try {
    await withDeadline("ARCHIVE.put", deadlineMs, () => put);
  } catch (error) {
    logError("failed to store a large payload", { file_id: fileId }, error);
    late.abort(error);
    if (error instanceof DeadlineExceeded)
      deps.waitUntil(lookAfter(put, stub, archive, place, fileId, deadlineMs));
    return false;
  }
  const { answer: committed } = await withOneRetry(() => stub().commit(fileId), fileId);
  if (committed === false) await deleteOrphan(archive, place, fileId);
  return committed === true;
}

/**
 * A put that nobody waits for any more may still arrive, even after its reservation has ended. Where its file or its
 * reservation is there, the object stays: a repeat commits it, or the gate's alarm deletes it. Never rejects.
 */
async function lookAfter(
  put: Promise<void>,
  stub: GateStub,
  archive: R2Bucket,
  place: string,
  fileId: string,
  deadlineMs: number,
): Promise<void> {
  try {
    await withDeadline("ARCHIVE.put", Math.min(LATEST_PUT_MS, LATE_PUT_FACTOR * deadlineMs), () => put);
    const { answer: expected } = await withOneRetry(() => stub().expects(fileId), fileId);
    if (expected === false) await deleteOrphan(archive, place, fileId);
  } catch (error) {
    logError("a late payload did not arrive, or was not looked after", { file_id: fileId }, error);
  }
}

/** The reservation has ended and nobody knows of the object: nothing may stay that is not accepted. Never rejects. */
async function deleteOrphan(archive: R2Bucket, place: string, fileId: string): Promise<void> {
  try {
    await archive.delete(place);
  } catch (error) {
    logError("failed to delete an orphaned payload", { file_id: fileId }, error);
  }
}

/** One object from several buffers: large ones are not joined in memory, and are ended. `late` cuts off what was not sent yet. */
async function putParts(
  archive: R2Bucket,
  key: string,
  parts: readonly Bytes[],
  late: AbortSignal,
): Promise<void> {
  const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (size <= JOIN_UP_TO_BYTES) {
    await archive.put(key, concat(parts));
    return;
  }
  const { readable, writable } = new FixedLengthStream(size);
  const writer = writable.getWriter();
  // A stream that has ended already cannot be cut off, and need not be.
  late.addEventListener("abort", () => writer.abort(late.reason).catch(() => undefined));
  const write = async () => {
    for (const part of parts) await writer.write(part);
    await writer.close();
  };
  await Promise.all([archive.put(key, readable), write()]);
  for (const part of parts) discard(part);
}

/**
 * Calls a gate, and once more when it gave no answer: its methods are idempotent on the file id. Null without any answer.
 * `again`: the first call may have taken effect as well. Rejects for a bug in the gate, which another call would only meet again.
 */
async function withOneRetry<T>(
  call: () => Promise<T>,
  fileId: string,
): Promise<{ answer: T | null; again: boolean }> {
  for (const attempt of [1, 2]) {
    try {
      return { answer: await call(), again: attempt > 1 };
    } catch (error) {
      if (!isOutage(error)) throw error;
      logError("a gate gave no answer", { file_id: fileId, attempt }, error);
    }
  }
  return { answer: null, again: true };
}

function newFile(fileId: string, facts: FileFacts, admitted: { sameBodyAs?: string; rate: RateStatus }) {
  const { rate } = admitted;
  return {
    fileId,
    status: "queued",
    duplicate: false,
    ready: true,
    ...named(facts, admitted),
    rate,
  } as const;
}

function named(facts: FileFacts, { sameBodyAs }: { sameBodyAs?: string }) {
  const known = { employerId: facts.employerId, receivedAt: facts.receivedAt };
  return sameBodyAs === undefined ? known : { ...known, sameBodyAs };
}

function unavailable(retryAfterSeconds: number): { failure: Failure; revisit: false } {
  const reason = "The report is not known to be accepted.";
  return { failure: { kind: "unavailable", retryAfterSeconds, reason }, revisit: false };
}
