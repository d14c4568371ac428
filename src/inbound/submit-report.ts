/**
 * Submits a verified report to its gate: mints the file id, seals the payload, and asks the gate to admit it. A large
 * payload goes into the archive bucket, between the gate's reservation and a commit. Used by both intakes.
 */

import type { Bindings } from "../bindings.ts";
import { payloadContext } from "../crypto/contexts.ts";
import type { Bytes } from "../crypto/encoding.ts";
import { fingerprint, seal } from "../crypto/vault.ts";
import { mintFileId } from "../gate/file-id.ts";
import type { Admission, Admitted, FileFacts, FileStatus, Snapshot } from "../gate/protocol.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { gateName, type RateStatus } from "../model.ts";
import { err, ok, type Result } from "../result.ts";
import { withOneRetry } from "./call-gate.ts";
import { storeLargePayload } from "./large-payload.ts";
import type { ReportSender } from "./sender-cache.ts";
import { outsideWindow } from "./timestamp-window.ts";

/** Larger payloads are stored in the bucket: ten thousand of them would fill the gate's object. */
const INLINE_UP_TO_BYTES = 64 * 1024;

type Sender = Pick<ReportSender, "gate" | "snapshot" | "dataKey" | "sameBody">;

export interface VerifiedReport {
  facts: FileFacts;
  signed: Admission["signed"];
  body: Bytes;
  /** The fingerprint of the `Idempotency-Key`; null without one. */
  keyMac: string | null;
}

export interface SubmittedReport {
  fileId: string;
  status: FileStatus;
  duplicate: boolean;
  /** Whether this request made the file ready to be forwarded, so that the consumer must be woken. */
  ready: boolean;
  employerId: string;
  receivedAt: number;
  /** An earlier file with the same bytes. */
  sameBodyAs?: string;
  rate: RateStatus;
}

export interface Unsubmitted {
  failure: Failure;
  /** The gate knows a newer row than the caller. */
  isStale: boolean;
  rate: RateStatus | null;
}

export interface SubmitDeps {
  env: Bindings;
  /** Keeps work running after the response. */
  waitUntil(work: Promise<unknown>): void;
}

/** Snapshots that their gates know: sending the version is enough. */
const knownToGate = new WeakSet<Snapshot>();

/** If the gate cannot confirm that it accepted the report, the failure is a 503. Rejects only for a bug in the gate, which then stored nothing. */
export async function submitReport(
  sender: Sender,
  report: VerifiedReport,
  deps: SubmitDeps,
): Promise<Result<SubmittedReport, Unsubmitted>> {
  const { env } = deps;
  const { gate, snapshot, dataKey, sameBody } = sender;
  const { facts, signed, body, keyMac } = report;
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
  const askGate = (known: Admission["known"]) =>
    withOneRetry<Admitted>(() => stub().admit({ ...admission, known }), fileId);
  let call = await askGate(knownToGate.has(snapshot) ? snapshot.version : snapshot);
  if (call.answer?.outcome === "unknown_version") call = await askGate(snapshot);
  const { answer: admitted, retried } = call;
  if (admitted === null || admitted.outcome === "unknown_version") return unavailable(5);
  knownToGate.add(snapshot);

  switch (admitted.outcome) {
    case "accepted":
      return ok(newFile(fileId, facts, admitted));
    case "repeat": {
      const { fileId: first, status, rate } = admitted;
      const { employerId, receivedAt } = admitted.facts;
      return ok({ fileId: first, status, duplicate: true, ready: false, employerId, receivedAt, rate });
    }
    case "reserved": {
      const stored = await storeLargePayload(stub, deps, admitted.place, sender, fileId, facts, body);
      if (!stored) return unavailable(5);
      return ok(newFile(fileId, facts, admitted));
    }
    case "receiving": {
      const first = admitted.fileId;
      const stored = await storeLargePayload(stub, deps, admitted.place, sender, first, facts, body);
      if (!stored) return unavailable(5);
      return ok({ ...newFile(first, facts, admitted), duplicate: true });
    }
    case "conflict":
      return refused({ kind: "key_reused" }, admitted.rate);
    case "limited":
      return refused({ kind: "rate_limited", rate: admitted.rate, now: Date.now() }, admitted.rate);
    case "expired":
      // The call that got no answer may have come in time: the report may be stored.
      return retried ? unavailable(5) : refused(expiredAt(signed, Date.now()));
    case "taken":
      return submitReport(sender, report, deps);
    case "stale":
      return unavailable(1, { isStale: true });
    case "unavailable":
      logError("failed to submit a report: the gate rejected it", { gate: gate.id, reason: admitted.reason });
      return unavailable(60);
  }
}

/** The gate's clock decides. This isolate's clock may still find the timestamp, which is about to expire, within the window. */
function expiredAt(signed: VerifiedReport["signed"], now: number): Failure {
  const timestampMs = signed?.timestampMs ?? 0;
  const reason = timestampMs > now ? "clock_ahead" : "clock_behind";
  return (
    outsideWindow(timestampMs, now) ?? {
      kind: "timestamp_expired",
      reason,
      aheadMs: timestampMs - now,
      serverTimeMs: now,
    }
  );
}

function newFile(
  fileId: string,
  { employerId, receivedAt }: FileFacts,
  { rate, sameBodyAs }: { sameBodyAs?: string; rate: RateStatus },
): SubmittedReport {
  const file = { fileId, employerId, receivedAt, duplicate: false, ready: true, rate };
  return { ...file, status: "queued", ...(sameBodyAs !== undefined && { sameBodyAs }) };
}

function refused(failure: Failure, rate: RateStatus | null = null): Result<never, Unsubmitted> {
  return err({ failure, isStale: false, rate });
}

function unavailable(retryAfterSeconds: number, { isStale = false } = {}): Result<never, Unsubmitted> {
  return err({ failure: { kind: "acceptance_unknown", retryAfterSeconds }, isStale, rate: null });
}
