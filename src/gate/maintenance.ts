/**
 * What a gate does on its alarm: wake the consumer for files that are due, drop reservations whose payload never came,
 * archive what settled, purge what is old. Each step may fail without stopping the others; what failed is due again.
 */

import type { Bytes } from "../crypto/encoding.ts";
import { BACKGROUND_LIMITS, DeadlineExceeded, type Limits, r2DeadlineMs, withDeadline } from "../deadline.ts";
import { logError } from "../log.ts";
import { type FileWakeUp, wakeUpsFor } from "../messages.ts";
import { buildSegment, type KeyObject, keyObjectKey, segmentKey } from "./archive-format.ts";
import { wakeAgainDelayMs } from "./backoff.ts";
import { fileIdOf, mintedAt, seqAfter, seqAt } from "./file-id.ts";
import type { FileRow } from "./file-row.ts";
import type { Snapshot } from "./protocol.ts";
import { CHECK_AFTER_MS, type GateState, WAKE_AGAIN_AFTER_MS } from "./state.ts";

/** Files handled by one run of each step; what is left is due at once. */
const ROWS_PER_RUN = 500;
/** Aliases that ran out stay a day longer, for a clock that is set back. */
const ALIASES_KEPT_MS = 86_400_000;
/** How long a file can be asked for, listed and replayed, at least. */
export const KEEP_ROWS_MS = 90 * 86_400_000;
/** How long in a gate that is nearly full: a shorter memory of old files is better than refusing new ones. */
export const KEEP_ROWS_CROWDED_MS = 7 * 86_400_000;
/** How much longer at most, for its table to grow old as a whole. What is still here then is deleted row by row. */
export const KEEP_ROWS_LONGER_MS = 7 * 86_400_000;
export const CROWDED_BYTES = 6 * 1024 ** 3;
/** When the alarm looks after it: keys are told apart by the millisecond, so that one must have passed. */
const GONE_AFTER_MS = KEEP_ROWS_MS + KEEP_ROWS_LONGER_MS + 1;

const PURGED_PER_RUN = 5_000;
const SEGMENT_BYTES = 4 * 1024 ** 2;
const SEGMENTS_PER_RUN = 25;
/** A busy gate has a file that was just accepted at every moment: one alarm looks after all of half a minute. */
const BETWEEN_CHECKS_MS = 30_000;
/** What the mark of the key object says when the object is gone for good. No wrapped key reads like it. */
const ERASED = "erased";
/** What it says when an object that nobody waited for any more has arrived. */
const LATE = "late";
/** How long the alarm waits with old files that could not go: what makes one ready, in an alarm, purges it as well. */
const BETWEEN_PURGES_MS = 86_400_000;
/** In a gate that is nearly full, and may take nothing more before some have gone. */
const BETWEEN_PURGES_CROWDED_MS = 3_600_000;
/** How long a step that failed waits. */
const STEP_RETRY_MS = 60_000;

export interface MaintenanceDeps {
  /** Sends wake-ups to the files queue. */
  wake(messages: FileWakeUp[]): Promise<void>;
  archive: Pick<R2Bucket, "put" | "delete">;
  /** How long the archive has for a call; {@link BACKGROUND_LIMITS} unless told otherwise. */
  limits?: Limits;
  archiveAfterMs: number;
  leased(seq: string, now: number): boolean;
  forget(seq: string): void;
  now(): number;
  random(): number;
}

export class Maintenance {
  readonly #state: GateState;
  readonly #deps: MaintenanceDeps;
  #archiveNotBefore = 0;
  #freshNotBefore = 0;
  #purgedAt = 0;
  #purgeGoesOn = false;
  /** Null before it was asked, which costs too much for every call: a gate that grows has alarms, and each asks again. */
  #crowded: boolean | null = null;

  constructor(state: GateState, deps: MaintenanceDeps) {
    this.#state = state;
    this.#deps = deps;
  }

  async run(): Promise<void> {
    if (this.#state.snapshot === null) return;
    await this.#step("wake", () => this.#wakeDue());
    await this.#step("remind", () => this.#remindOwed());
    await this.#step("drop", () => this.#dropReservations());
    await this.#step("archive", () => this.#archive());
    await this.#step("purge", async () => this.#purge());
  }

  /** When the alarm is needed next; null when nothing is kept. */
  nextAt(): number | null {
    const { dueFiles, watermarks, readCounter } = this.#state;
    const now = this.#deps.now();
    const fresh = dueFiles.firstFrom(watermarks.get("woken_to"));
    const archiveAt = this.#archiveAt();
    const candidates = [
      dueFiles.earliestDue(),
      this.#state.outbox.earliest,
      fresh === null ? null : Math.max(mintedAt(fresh) + CHECK_AFTER_MS, this.#freshNotBefore),
      archiveAt === null ? null : Math.max(archiveAt, this.#archiveNotBefore),
      readCounter.expireAt(),
      this.#purgeGoesOn ? now : this.#purgeAt(),
    ].filter((at) => at !== null);
    return candidates.length === 0 ? null : Math.max(now + 1_000, Math.min(...candidates));
  }

  /** When something is next due to leave for the archive. */
  #archiveAt(): number | null {
    const { dueFiles, snapshot } = this.#state;
    if (snapshot !== null && this.#keyObjectDiffers(snapshot)) return 0;
    const ordinary = this.#segmentDueAt();
    const late = dueFiles.earliestLate();
    return ordinary === null || late === null ? (ordinary ?? late) : Math.min(ordinary, late);
  }

  /** The oldest file that is still here decides; what settled after it leaves with it, so that a segment holds an hour. */
  #segmentDueAt(): number | null {
    const { dueFiles, watermarks } = this.#state;
    const oldest = dueFiles.firstFrom(watermarks.get("archived_to"));
    return oldest === null ? null : mintedAt(oldest) + this.#deps.archiveAfterMs + WAKE_AGAIN_AFTER_MS;
  }

  #purgeAt(): number | null {
    const oldest = this.#state.dueFiles.firstFrom("");
    if (oldest === null) return null;
    this.#crowded ??= this.#isCrowded();
    return this.#crowded
      ? Math.max(mintedAt(oldest) + KEEP_ROWS_CROWDED_MS + 1, this.#purgedAt + BETWEEN_PURGES_CROWDED_MS)
      : Math.max(mintedAt(oldest) + GONE_AFTER_MS, this.#purgedAt + BETWEEN_PURGES_MS);
  }

  #isCrowded(): boolean {
    return this.#state.files.size > CROWDED_BYTES;
  }

  #purge(): void {
    const { dueFiles, files, readCounter } = this.#state;
    const now = this.#deps.now();
    this.#purgedAt = now;
    this.#purgeGoesOn = false;
    this.#crowded = this.#isCrowded();
    const keepMs = this.#crowded ? KEEP_ROWS_CROWDED_MS : KEEP_ROWS_MS;
    files.purgeAliases(now - ALIASES_KEPT_MS);
    readCounter.purge(now);
    const atLatest = seqAt(now - keepMs - KEEP_ROWS_LONGER_MS);
    this.#purgeGoesOn = dueFiles.purge(seqAt(now - keepMs), atLatest, PURGED_PER_RUN);
  }

  async #step(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (name === "archive") this.#archiveNotBefore = this.#deps.now() + STEP_RETRY_MS;
      logError("gate upkeep step failed", { step: name, gate: this.#state.gate.id }, error);
    }
  }

  async #wakeDue(): Promise<void> {
    const { dueFiles, files, watermarks } = this.#state;
    const now = this.#deps.now();
    const upTo = seqAt(now - WAKE_AGAIN_AFTER_MS);
    const from = watermarks.get("woken_to");
    const fresh = from < upTo ? dueFiles.freshQueued(from, upTo, ROWS_PER_RUN) : [];
    const queued = [...fresh, ...dueFiles.dueQueued(now, ROWS_PER_RUN - fresh.length)];
    const woken = queued.filter((row) => {
      const leased = this.#deps.leased(row.seq, now);
      files.update(row.seq, {
        wakeUps: leased ? row.wakeUps : row.wakeUps + 1,
        dueAt: now + wakeAgainDelayMs(row.wakeUps, this.#deps.random()),
      });
      return !leased;
    });
    const goesOn = fresh.length === ROWS_PER_RUN;
    if (dueFiles.holdsAny(from, upTo))
      watermarks.set("woken_to", goesOn ? (fresh.at(-1)?.seq ?? upTo) : upTo);
    this.#freshNotBefore = goesOn ? 0 : now + BETWEEN_CHECKS_MS;
    await this.#send(woken);
  }

  /** The consumer tells what is owed whenever it is woken for the file. */
  async #remindOwed(): Promise<void> {
    const { gate, outbox } = this.#state;
    const fileIds = outbox.remind(this.#deps.now(), ROWS_PER_RUN).map((seq) => fileIdOf(gate, seq));
    const messages = wakeUpsFor(fileIds);
    if (messages.length > 0) await this.#deps.wake(messages);
  }

  async #send(rows: FileRow[]): Promise<void> {
    const { gate, files } = this.#state;
    const messages = wakeUpsFor(rows.map((row) => fileIdOf(gate, row.seq)));
    if (messages.length === 0) return;
    try {
      await this.#deps.wake(messages);
    } catch (error) {
      // Nobody was woken: it does not count, or an outage of the queue would make every file look suspect.
      const dueAt = this.#deps.now() + STEP_RETRY_MS;
      for (const row of rows) files.update(row.seq, { wakeUps: row.wakeUps, dueAt });
      throw error;
    }
  }

  /** The row stays, answering nothing, until its object is gone: a late put is then deleted by who made it. */
  async #dropReservations(): Promise<void> {
    const { dueFiles, files } = this.#state;
    const now = this.#deps.now();
    const dropped = dueFiles.dueReservations(now, ROWS_PER_RUN);
    for (const row of dropped) {
      files.drop(row.seq, now + STEP_RETRY_MS);
      this.#deps.forget(row.seq);
    }
    for (const row of dropped) {
      const { stored } = row;
      if (stored !== null) await this.#within("delete", 0, () => this.#deps.archive.delete(stored.key));
      files.delete(row.seq);
    }
  }

  async #archive(): Promise<void> {
    const { dueFiles, watermarks } = this.#state;
    const now = this.#deps.now();
    if (now < this.#archiveNotBefore) return;
    const { snapshot } = this.#state;
    if (snapshot !== null && (dueFiles.firstFrom("") !== null || this.#keyObjectDiffers(snapshot)))
      await this.#putKeyObject(snapshot);
    await this.#archiveLate(now);
    const dueAt = this.#segmentDueAt();
    if (dueAt === null || dueAt > now) return;
    const upTo = watermarks.get("woken_to");
    for (let segments = 0; segments < SEGMENTS_PER_RUN; segments++) {
      const from = watermarks.get("archived_to");
      if (!dueFiles.holdsAny(from, upTo)) return;
      const batch = dueFiles.archivable(from, upTo, SEGMENT_BYTES);
      await this.#putSegment(batch);
      const last = batch.at(-1)?.row.seq;
      watermarks.set("archived_to", last === undefined ? upTo : seqAfter(last));
    }
  }

  /** Rows that were deferred or replayed: they carry a due time until their payload has left. One takes all others along. */
  async #archiveLate(now: number): Promise<void> {
    const { dueFiles } = this.#state;
    const earliest = dueFiles.earliestLate();
    if (earliest === null || earliest > now) return;
    dueFiles.releaseArchived();
    for (let segments = 0; segments < SEGMENTS_PER_RUN; segments++) {
      const batch = dueFiles.archivableLate(SEGMENT_BYTES);
      if (batch.length === 0) return;
      await this.#putSegment(batch);
    }
  }

  async #putSegment(batch: { row: FileRow; sealed: Bytes }[]): Promise<void> {
    const { gate, files, watermarks, snapshot } = this.#state;
    const [first] = batch;
    if (first === undefined || snapshot === null) return;
    const latePuts = Number(watermarks.get("late_puts"));
    const key = segmentKey(gate, snapshot.retentionYears, first.row.seq, latePuts);
    const entries = batch.map(({ row, sealed }) => ({
      fileId: fileIdOf(gate, row.seq),
      facts: row.facts,
      sealed,
    }));
    const { bytes, stored } = buildSegment(gate, key, entries);
    await this.#put(key, bytes);
    for (const { row } of batch) {
      const place = stored.get(fileIdOf(gate, row.seq));
      if (place !== undefined) files.markArchived(row.seq, place);
    }
  }

  /** A gate that has archived nothing has no key object, and needs none. */
  #keyObjectDiffers({ wrappedKey }: Snapshot): boolean {
    const there = this.#state.watermarks.get("key_object");
    return this.#state.erased ? there !== ERASED : there !== "" && there !== wrappedKey;
  }

  /** The wrapped data key lies beside the segments, so that they open without any database; once erased, it does not. */
  async #putKeyObject({ version, wrappedKey }: Snapshot): Promise<void> {
    const { erased, gate, watermarks } = this.#state;
    const wanted = erased ? ERASED : wrappedKey;
    if (watermarks.get("key_object") === wanted) return;
    if (erased) {
      await this.#within("delete", 0, () => this.#deps.archive.delete(keyObjectKey(gate)));
    } else {
      const object: KeyObject = { gate: `${gate.kind}:${gate.id}`, version, wrappedKey };
      const put = this.#deps.archive.put(keyObjectKey(gate), JSON.stringify(object));
      try {
        await this.#within("put", 0, () => put);
      } catch (error) {
        if (error instanceof DeadlineExceeded) this.#putAgainAfter(put);
        throw error;
      }
    }
    watermarks.set("key_object", wanted);
  }

  /** A key object that arrives late may replace a newer one, or come after an erasure: it is looked after again. */
  #putAgainAfter(put: Promise<unknown>): void {
    const { watermarks } = this.#state;
    put.then(
      () => watermarks.set("key_object", LATE),
      (error) => logError("failed to put a key object", { gate: this.#state.gate.id }, error),
    );
  }

  /** A put that nobody waits for any more may still arrive: no later one has its key. */
  async #put(key: string, bytes: Bytes): Promise<void> {
    const { watermarks } = this.#state;
    try {
      await this.#within("put", bytes.byteLength, () => this.#deps.archive.put(key, bytes));
    } catch (error) {
      if (error instanceof DeadlineExceeded)
        watermarks.set("late_puts", String(Number(watermarks.get("late_puts")) + 1));
      throw error;
    }
  }

  #within<T>(method: string, bytes: number, work: () => Promise<T>): Promise<T> {
    const { limits = BACKGROUND_LIMITS } = this.#deps;
    return withDeadline(`ARCHIVE.${method}`, r2DeadlineMs(limits, bytes), work);
  }
}
