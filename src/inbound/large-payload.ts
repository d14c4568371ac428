/** Stores a payload that is too large for its gate's row: one put into the archive bucket, then the commit of its reservation. */

import type { Bindings } from "../bindings.ts";
import { limitsOf, unbounded } from "../bounded.ts";
import { payloadContext } from "../crypto/contexts.ts";
import { type Bytes, concat, discard } from "../crypto/encoding.ts";
import { SEAL_OVERHEAD_BYTES, sealInParts } from "../crypto/vault.ts";
import { DeadlineExceeded, r2DeadlineMs, withDeadline } from "../deadline.ts";
import { segmentTrailer } from "../gate/archive-format.ts";
import type { FileFacts } from "../gate/protocol.ts";
import { logError } from "../log.ts";
import { gateName } from "../model.ts";
import { type GateStub, withOneRetry } from "./call-gate.ts";
import type { ReportSender } from "./sender-cache.ts";

/** A put that missed its deadline is awaited for this many deadlines more, to clean up after it. */
const LATE_PUT_FACTOR = 4;
/** Shorter than an invocation may run after its answer. */
const LATEST_PUT_MS = 25_000;

/** Joining a larger payload would cost more memory than it saves time. */
const JOIN_UP_TO_BYTES = 1024 ** 2;

/** Stores the payload at its reserved place, as a separate segment, and commits the reservation. False if either failed. */
export async function storeLargePayload(
  stub: GateStub,
  deps: { env: Bindings; waitUntil(work: Promise<unknown>): void },
  place: string,
  { gate, dataKey }: Pick<ReportSender, "gate" | "dataKey">,
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
      deps.waitUntil(cleanUpLatePut(put, stub, archive, place, fileId, deadlineMs));
    return false;
  }
  const { answer: committed } = await withOneRetry(() => stub().commit(fileId), fileId);
  if (committed === false) await deleteOrphan(archive, place, fileId);
  return committed === true;
}

/**
 * A put that missed its deadline may still arrive, even after its reservation has ended. The object stays while its file
 * or reservation exists: a repeat commits it, or the gate's alarm deletes it. Never rejects.
 */
async function cleanUpLatePut(
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
    logError("failed to clean up after a late payload", { file_id: fileId }, error);
  }
}

/** Deletes the payload of a reservation that has ended: no payload stays stored unless its report was accepted. Never rejects. */
async function deleteOrphan(archive: R2Bucket, place: string, fileId: string): Promise<void> {
  try {
    await archive.delete(place);
  } catch (error) {
    logError("failed to delete an orphaned payload", { file_id: fileId }, error);
  }
}

/** Puts one object from several buffers. Large buffers are not joined, and are emptied once sent. `late` aborts the rest. */
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
  // Aborting a stream that has ended already rejects, and changes nothing.
  late.addEventListener("abort", () => writer.abort(late.reason).catch(() => undefined));
  const write = async () => {
    for (const part of parts) await writer.write(part);
    await writer.close();
  };
  await Promise.all([archive.put(key, readable), write()]);
  for (const part of parts) discard(part);
}
