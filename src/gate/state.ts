/** State that the parts of a gate share: its rows, its recent requests, and the latest snapshot of its row in D1. */

import { EvidenceStore } from "../evidence/evidence-store.ts";
import type { Note } from "../evidence/request-entry.ts";
import { type GateAddress, gateName, parseGateName, SIGNATURE_WINDOW_MS } from "../model.ts";
import { ChangedHours } from "../usage/changed-hours.ts";
import { addCounts } from "../usage/counts.ts";
import type { CountedHour } from "../usage/hand-over.ts";
import { hourOf } from "../usage/periods.ts";
import { countHour } from "./counted-hour.ts";
import { DayPartitions } from "./day-partitions.ts";
import { DueFiles } from "./due-files.ts";
import { mintedAt, seqAt } from "./file-id.ts";
import { FileStore } from "./file-store.ts";
import { Outbox } from "./outbox.ts";
import type { Snapshot } from "./protocol.ts";
import { COUNTS_FOR_MS } from "./rate-window.ts";
import { ReadCounter } from "./read-counter.ts";
import { MAX_CLOCK_SKEW_MS, RecentRequests } from "./recent-requests.ts";
import { RepeatStore } from "./repeat-store.ts";
import { Watermarks } from "./watermarks.ts";

/** How long a report may wait for its first settlement before the gate wakes the consumer again. */
export const WAKE_AGAIN_AFTER_MS = 60_000;
/** When the alarm checks a new file: row keys differ by the millisecond, so that one more must have passed. */
export const CHECK_AFTER_MS = WAKE_AGAIN_AFTER_MS + 1;

/** How far back requests are remembered: as long as they count in a rate window, and as long as their signature can be valid. */
const REACH_MS = Math.max(COUNTS_FOR_MS, 2 * SIGNATURE_WINDOW_MS) + MAX_CLOCK_SKEW_MS;

/** How long a failed step of the maintenance waits before it is tried again. */
export const STEP_RETRY_MS = 60_000;

export class GateState {
  readonly files: FileStore;
  readonly repeats: RepeatStore;
  readonly dueFiles: DueFiles;
  readonly watermarks: Watermarks;
  readonly readCounter: ReadCounter;
  readonly outbox: Outbox;
  readonly changedHours: ChangedHours;
  readonly evidence: EvidenceStore;
  readonly recent = new RecentRequests();
  readonly #partitions: DayPartitions;
  #snapshot: Snapshot | null;

  constructor(sql: SqlStorage, now: number, random: () => number) {
    this.#partitions = new DayPartitions(sql);
    this.watermarks = new Watermarks(sql);
    this.changedHours = new ChangedHours(this.watermarks.of("changed_hours"), random);
    this.files = new FileStore(sql, this.#partitions, (seq, at) => this.#markHour(mintedAt(seq), at));
    this.repeats = new RepeatStore(sql, this.#partitions);
    this.evidence = new EvidenceStore(sql, (at, now) => this.#markHour(at, now));
    this.dueFiles = new DueFiles(this.#partitions);
    this.readCounter = new ReadCounter(sql);
    this.outbox = new Outbox(sql);
    this.#snapshot = this.watermarks.snapshot();
    this.#remember(now);
  }

  /** Null before the first call. */
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** The version of the snapshot; 0 before the first call. */
  get version(): number {
    return this.#snapshot?.version ?? 0;
  }

  /** Whether the gate's data key has been erased, so that no payload can be opened. */
  get erased(): boolean {
    return this.#snapshot?.wrappedKey === "";
  }

  /** Throws before the first call, when the gate holds nothing. */
  get gate(): GateAddress {
    const address = this.#snapshot?.gate ?? parseGateName(this.watermarks.get("address"));
    if (address === null) throw new Error("the gate has no snapshot yet, so its address is unknown");
    return address;
  }

  /** Keeps the newer snapshot. Returns false if the caller's is the older one. */
  learn(snapshot: Snapshot): boolean {
    if (this.#snapshot !== null && snapshot.version <= this.version) return snapshot.version === this.version;
    const wasErased = this.erased;
    this.#snapshot = snapshot;
    this.watermarks.setSnapshot(snapshot);
    if (this.erased && !wasErased) this.evidence.erase();
    return true;
  }

  /** Records evidence that an isolate has gathered. It may arrive before the first report. */
  note(address: GateAddress, note: Note, now: number): void {
    if (this.#snapshot === null) this.watermarks.set("address", gateName(address));
    this.evidence.note(note, now, { inDetail: !this.erased });
  }

  /** Advances the clock. If the clock was set back, forgotten requests count again and are read back from the rows. */
  tick(now: number): void {
    if (this.recent.wentBack(now)) this.#remember(now);
    this.recent.sweep(now);
  }

  /** The due time of a new row: usually none. A row that the alarm's watermark has already passed needs one. */
  firstDueAt(seq: string, now: number): number | null {
    return seq < this.watermarks.get("woken_to") ? now + WAKE_AGAIN_AFTER_MS : null;
  }

  /** The hours before `seq` are not counted again: some of their files have been purged. */
  keepCountsBefore(seq: string): void {
    if (seq > this.watermarks.get("purged_to")) this.watermarks.set("purged_to", seq);
  }

  /** An hour that is not counted again is not marked either: a bulk replay of restored files may reach years of them. */
  #markHour(time: number, now: number): void {
    if (this.#isCounted(hourOf(time))) this.changedHours.mark(time, now);
  }

  #isCounted(hour: number): boolean {
    return seqAt(hour) >= this.watermarks.get("purged_to");
  }

  /** See {@link countHour}. Null for an hour whose files have been purged, if only some of them. */
  async countHour(at: number, pause: () => Promise<void>): Promise<CountedHour | null> {
    if (!this.#isCounted(at)) return null;
    const counted = await countHour(this.#partitions, at, pause);
    addCounts(counted.counts, this.evidence.countsOfHour(at));
    return counted;
  }

  #remember(now: number): void {
    this.recent.rebuild(now, this.repeats.remembered(seqAt(now - REACH_MS), now));
  }
}
