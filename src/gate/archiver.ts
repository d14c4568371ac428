/**
 * Archiving: settled payloads leave the gate in segments, and the gate's wrapped data key lies beside them. A row gives up its
 * payload only after the segment that holds it has been stored.
 */
import type { Bytes } from "../crypto/encoding.ts";
import { BACKGROUND_LIMITS, DeadlineExceeded, type Limits, r2DeadlineMs, withDeadline } from "../deadline.ts";
import { logError } from "../log.ts";
import { gateName } from "../model.ts";
import { buildSegment, type KeyObject, keyObjectKey, segmentKey } from "./archive-format.ts";
import { fileIdOf, mintedAt, seqAfter } from "./file-id.ts";
import type { FileRow } from "./file-row.ts";
import type { FileFacts, Snapshot } from "./protocol.ts";
import { type GateState, STEP_RETRY_MS, WAKE_AGAIN_AFTER_MS } from "./state.ts";

const SEGMENT_BYTES = 4 * 1024 ** 2;
const SEGMENTS_PER_RUN = 25;
/** The value of the watermark `key_object` once the object has been deleted for good. No wrapped key looks like it. */
const ERASED = "erased";
/** The value of that watermark after an overdue put of the object has arrived: whatever the object holds now is unknown. */
const LATE = "late";

export interface ArchiverDeps {
  bucket: Pick<R2Bucket, "put" | "delete">;
  /** {@link BACKGROUND_LIMITS} by default. */
  limits?: Limits;
  archiveAfterMs: number;
  now(): number;
}

export class Archiver {
  readonly #state: GateState;
  readonly #deps: ArchiverDeps;
  /** Set when a run has failed. */
  #notBefore = 0;

  constructor(state: GateState, deps: ArchiverDeps) {
    this.#state = state;
    this.#deps = deps;
  }

  /** When something is next due to be archived. Null if nothing waits. */
  nextAt(): number | null {
    const at = this.#dueAt();
    return at === null ? null : Math.max(at, this.#notBefore);
  }

  /** Stores the key object and the segments that are due. Rejects if the bucket fails; the next run repeats what is left. */
  async run(): Promise<void> {
    const now = this.#deps.now();
    if (now < this.#notBefore) return;
    try {
      await this.#storeKeyObject();
      await this.#archiveWithDueTime(now);
      await this.#archiveInOrder(now);
    } catch (error) {
      this.#notBefore = this.#deps.now() + STEP_RETRY_MS;
      throw error;
    }
  }

  /** Deletes the object of a reservation that was dropped. */
  deleteObject(key: string): Promise<void> {
    return this.#withinDeadline("delete", 0, () => this.#deps.bucket.delete(key));
  }

  #dueAt(): number | null {
    const { dueFiles, snapshot } = this.#state;
    if (snapshot !== null && this.#keyObjectDiffers(snapshot)) return 0;
    const inOrder = this.#segmentDueAt();
    const withDueTime = dueFiles.earliestSettled();
    return inOrder === null || withDueTime === null
      ? (inOrder ?? withDueTime)
      : Math.min(inOrder, withDueTime);
  }

  /** The oldest file that is not archived decides. Files that settled after it leave with it, so that a segment holds an hour. */
  #segmentDueAt(): number | null {
    const { dueFiles, watermarks } = this.#state;
    const oldest = dueFiles.firstFrom(watermarks.get("archived_to"));
    return oldest === null ? null : mintedAt(oldest) + this.#deps.archiveAfterMs + WAKE_AGAIN_AFTER_MS;
  }

  /** Rows that settled without a due time, from the watermark `archived_to` up to `woken_to`. */
  async #archiveInOrder(now: number): Promise<void> {
    const { dueFiles, watermarks } = this.#state;
    const dueAt = this.#segmentDueAt();
    if (dueAt === null || dueAt > now) return;
    const upTo = watermarks.get("woken_to");
    for (let segments = 0; segments < SEGMENTS_PER_RUN; segments++) {
      const from = watermarks.get("archived_to");
      if (!dueFiles.holdsAny(from, upTo)) return;
      const batch = dueFiles.archivable(from, upTo, SEGMENT_BYTES);
      await this.#storeSegment(batch);
      const last = batch.at(-1)?.row.seq;
      watermarks.set("archived_to", last === undefined ? upTo : seqAfter(last));
    }
  }

  /** Rows that were deferred or replayed keep a due time until they are archived. As soon as one is due, all of them leave. */
  async #archiveWithDueTime(now: number): Promise<void> {
    const { dueFiles } = this.#state;
    const earliest = dueFiles.earliestSettled();
    if (earliest === null || earliest > now) return;
    dueFiles.clearDueTimesOfArchived(now);
    for (let segments = 0; segments < SEGMENTS_PER_RUN; segments++) {
      const batch = dueFiles.archivableWithDueTime(SEGMENT_BYTES);
      if (batch.length === 0) return;
      await this.#storeSegment(batch);
    }
  }

  async #storeSegment(batch: { row: FileRow; sealed: Bytes }[]): Promise<void> {
    const { gate, files, watermarks, snapshot } = this.#state;
    // Named after its oldest file, which need not be the first: files with a due time come in the order of those.
    const [oldest] = batch.map(({ row }) => row.seq).sort();
    if (oldest === undefined || snapshot === null) return;
    const latePuts = Number(watermarks.get("late_puts"));
    const key = segmentKey(gate, snapshot.retentionYears, oldest, latePuts);
    const entries = batch.map(({ row, sealed }) => ({
      fileId: fileIdOf(gate, row.seq),
      facts: archivedFacts(row.facts),
      sealed,
    }));
    const { bytes, locations } = buildSegment(gate, key, entries);
    await this.#putSegment(key, bytes);
    for (const { row } of batch) {
      const location = locations.get(fileIdOf(gate, row.seq));
      if (location !== undefined) files.markArchived(row.seq, { ...location, at: this.#deps.now() });
    }
  }

  /** A put that has met its deadline may still arrive, so no later segment gets the same object key. */
  async #putSegment(key: string, bytes: Bytes): Promise<void> {
    const { watermarks } = this.#state;
    try {
      await this.#withinDeadline("put", bytes.byteLength, () => this.#deps.bucket.put(key, bytes));
    } catch (error) {
      if (error instanceof DeadlineExceeded)
        watermarks.set("late_puts", String(Number(watermarks.get("late_puts")) + 1));
      throw error;
    }
  }

  /** Stores the wrapped data key beside the segments, so that they open without any database, or deletes it once it is erased. */
  async #storeKeyObject(): Promise<void> {
    const { dueFiles, erased, snapshot, watermarks } = this.#state;
    if (snapshot === null) return;
    const wanted = erased ? ERASED : snapshot.wrappedKey;
    if (watermarks.get("key_object") === wanted) return;
    const isNeeded = dueFiles.firstFrom("") !== null || this.#keyObjectDiffers(snapshot);
    if (!isNeeded) return;
    if (erased) await this.deleteObject(keyObjectKey(snapshot.gate));
    else await this.#putKeyObject(snapshot);
    watermarks.set("key_object", wanted);
  }

  async #putKeyObject({ gate, version, wrappedKey }: Snapshot): Promise<void> {
    const object: KeyObject = { gate: gateName(gate), version, wrappedKey };
    const put = this.#deps.bucket.put(keyObjectKey(gate), JSON.stringify(object));
    try {
      await this.#withinDeadline("put", 0, () => put);
    } catch (error) {
      if (error instanceof DeadlineExceeded) this.#storeAgainAfter(put);
      throw error;
    }
  }

  /** A gate that has archived nothing has no key object, and needs none. */
  #keyObjectDiffers({ wrappedKey }: Snapshot): boolean {
    const stored = this.#state.watermarks.get("key_object");
    return this.#state.erased ? stored !== ERASED : stored !== "" && stored !== wrappedKey;
  }

  /** An overdue put may replace a newer key object, or undo an erasure. Once it has arrived, the object is stored again. */
  #storeAgainAfter(put: Promise<unknown>): void {
    const { gate, watermarks } = this.#state;
    put.then(
      () => watermarks.set("key_object", LATE),
      (error) => logError("failed to put a key object", { gate: gate.id }, error),
    );
  }

  #withinDeadline<T>(method: string, bytes: number, work: () => Promise<T>): Promise<T> {
    const { limits = BACKGROUND_LIMITS } = this.#deps;
    return withDeadline(`ARCHIVE.${method}`, r2DeadlineMs(limits, bytes), work);
  }
}

/** The facts about the request are not kept as long as its report. */
function archivedFacts(known: FileFacts) {
  const { userAgent: _agent, country: _country, skewMs: _skew, warnings: _warnings, ...facts } = known;
  return facts;
}
