/**
 * From a verified report to its row: mint the file id, seal the payload, one call to the gate. Large payloads are put into
 * the archive bucket between a reservation and a commit. Used by every door that takes reports.
 */
import { type Bytes, concat, discard } from "../crypto/encoding.ts";
import { type DataKey, fingerprint, SEAL_OVERHEAD_BYTES, seal, sealInParts } from "../crypto/vault.ts";
import type { Bindings } from "../env.ts";
import type { ConnectionGate } from "../gate/connection-gate.ts";
import { payloadContext } from "../gate/contexts.ts";
import { type GateAddress, gateName, mintFileId } from "../gate/file-id.ts";
import type { Admission, Admitted, FileFacts, FileStatus, Snapshot } from "../gate/protocol.ts";
import type { Standing } from "../gate/rate-window.ts";
import { segmentTrailer } from "../gate/segment.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { lateFailure } from "./signature.ts";

/** Larger payloads rest in the bucket: ten thousand of them would fill an object. */
export const INLINE_UP_TO_BYTES = 64 * 1024;

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
      rate: Standing;
    }
  /** `revisit`: the gate knows a newer row than the caller. */
  | { failure: Failure; revisit: boolean; rate?: Standing };

type GateStub = DurableObjectStub<ConnectionGate>;

/** Snapshots that their gates know, so that the version says it all. */
const told = new WeakSet<Snapshot>();

/** Never rejects: what is not known to be accepted is a 503. */
export async function admitReport(
  sender: Sender,
  report: VerifiedReport,
  env: Bindings,
): Promise<AdmittedReport> {
  const { gate, snapshot, dataKey } = sender;
  const { facts, signed, body, keyMac, sameBody } = report;
  const fileId = mintFileId(gate, Date.now());
  const inline = body.byteLength <= INLINE_UP_TO_BYTES;
  const [bodyMac, sealed] = await Promise.all([
    fingerprint(dataKey, body),
    inline ? seal(dataKey, body, payloadContext(gate, fileId)) : null,
  ]);
  const stub = env.CONNECTION_GATE.getByName(gateName(gate));
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
    twice<Admitted>(() => stub.admit({ ...admission, known }), fileId);
  let called = await admit(told.has(snapshot) ? snapshot.version : snapshot);
  if (called.answer?.outcome === "untold") called = await admit(snapshot);
  const { answer: admitted, again } = called;
  if (admitted === null || admitted.outcome === "untold") return unavailable(5);
  told.add(snapshot);

  switch (admitted.outcome) {
    case "accepted":
      return newFile(fileId, facts, admitted);
    case "repeat": {
      const { fileId: first, status, rate } = admitted;
      return { fileId: first, status, duplicate: true, ready: false, ...named(admitted.facts, {}), rate };
    }
    case "reserved": {
      const stored = await store(stub, env.ARCHIVE, admitted.place, sender, fileId, facts, body);
      if (!stored) return unavailable(5);
      return newFile(fileId, facts, admitted);
    }
    case "receiving": {
      const stored = await store(stub, env.ARCHIVE, admitted.place, sender, admitted.fileId, facts, body);
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
      return admitReport(sender, report, env);
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
  archive: R2Bucket,
  place: string,
  { gate, dataKey }: Sender,
  fileId: string,
  facts: FileFacts,
  body: Bytes,
): Promise<boolean> {
  try {
    const sealed = await sealInParts(dataKey, body, payloadContext(gate, fileId));
    const entry = { fileId, ...facts, offset: 0, length: body.byteLength + SEAL_OVERHEAD_BYTES };
    const parts = [...sealed, segmentTrailer({ gate: gateName(gate), files: [entry] })];
    if (body.byteLength <= JOIN_UP_TO_BYTES) await archive.put(place, concat(parts));
    else await putParts(archive, place, parts);
  } catch (error) {
    logError("a large payload was not stored", { file_id: fileId }, error);
    return false;
  }
  const { answer: committed } = await twice(() => stub.commit(fileId), fileId);
  if (committed === false) {
    // The reservation has expired and nobody knows of the object: nothing may stay that is not accepted.
    await archive
      .delete(place)
      .catch((error) => logError("an orphaned payload was not deleted", { file_id: fileId }, error));
  }
  return committed === true;
}

/** One object from several buffers, without joining them in memory. Ends them. */
async function putParts(archive: R2Bucket, key: string, parts: readonly Bytes[]): Promise<void> {
  const { readable, writable } = new FixedLengthStream(parts.reduce((sum, part) => sum + part.byteLength, 0));
  const write = async () => {
    const writer = writable.getWriter();
    for (const part of parts) await writer.write(part);
    await writer.close();
  };
  await Promise.all([archive.put(key, readable), write()]);
  for (const part of parts) discard(part);
}

/**
 * Calls a gate, and once more when it gave no answer: its methods are idempotent on the file id. Null without any answer.
 * `again`: the first call may have taken effect as well.
 */
async function twice<T>(
  call: () => Promise<T>,
  fileId: string,
): Promise<{ answer: T | null; again: boolean }> {
  for (const attempt of [1, 2]) {
    try {
      return { answer: await call(), again: attempt > 1 };
    } catch (error) {
      logError("a gate gave no answer", { file_id: fileId, attempt }, error);
    }
  }
  return { answer: null, again: true };
}

function newFile(fileId: string, facts: FileFacts, admitted: { sameBodyAs?: string; rate: Standing }) {
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
