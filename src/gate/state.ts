/** What the parts of one gate share: its rows, its memory, and the newest it knows of its row in D1. */

import type { GateAddress } from "../model.ts";
import { DayPartitions } from "./day-partitions.ts";
import { DueFiles } from "./due-files.ts";
import { seqAt } from "./file-id.ts";
import { FileStore } from "./file-store.ts";
import { Outbox } from "./outbox.ts";
import type { Snapshot } from "./protocol.ts";
import { HOUR_MS } from "./rate-window.ts";
import { ReadCounter } from "./read-counter.ts";
import { MAX_CLOCK_SKEW_MS, RecentRequests, SIGNATURE_WINDOW_MS } from "./recent-requests.ts";
import { Watermarks } from "./watermarks.ts";

/** How long a report may wait for its first settlement before the gate wakes the consumer again. */
export const WAKE_AGAIN_AFTER_MS = 60_000;
/** When the alarm looks after it: keys are told apart by the millisecond, so that one must have passed. */
export const CHECK_AFTER_MS = WAKE_AGAIN_AFTER_MS + 1;

// Memory reaches back an hour (rates, bodies), which covers every signature that can still verify.
const REACH_MS = Math.max(HOUR_MS + 60_000, 2 * SIGNATURE_WINDOW_MS) + MAX_CLOCK_SKEW_MS;

/** How long a failed step of the maintenance waits before it is tried again. */
export const STEP_RETRY_MS = 60_000;

export class GateState {
  readonly files: FileStore;
  readonly dueFiles: DueFiles;
  readonly watermarks: Watermarks;
  readonly readCounter: ReadCounter;
  readonly outbox: Outbox;
  readonly recent = new RecentRequests();
  #snapshot: Snapshot | null;

  constructor(sql: SqlStorage, now: number) {
    const partitions = new DayPartitions(sql);
    this.files = new FileStore(sql, partitions);
    this.dueFiles = new DueFiles(partitions);
    this.watermarks = new Watermarks(sql);
    this.readCounter = new ReadCounter(sql);
    this.outbox = new Outbox(sql);
    this.#snapshot = this.watermarks.snapshot();
    this.#remember(now);
  }

  /** Null until the gate was first spoken to. */
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** Of the newest snapshot the gate knows; 0 before it was first spoken to. */
  get version(): number {
    return this.#snapshot?.version ?? 0;
  }

  /** Whether the gate's data key is gone for good, and with it every payload. */
  get erased(): boolean {
    return this.#snapshot?.wrappedKey === "";
  }

  /** Throws before the gate was first spoken to: it holds no file then. */
  get gate(): GateAddress {
    if (this.#snapshot === null) throw new Error("this gate does not know its address yet");
    return this.#snapshot.gate;
  }

  /** Keeps the newer snapshot. False when the caller's is the older one. */
  learn(snapshot: Snapshot): boolean {
    if (this.#snapshot !== null && snapshot.version <= this.version) return snapshot.version === this.version;
    this.#snapshot = snapshot;
    this.watermarks.setSnapshot(snapshot);
    return true;
  }

  /** Notes the time. A clock that went back makes forgotten entries count again, so they are read back. */
  tick(now: number): void {
    if (this.recent.wentBack(now)) this.#remember(now);
    this.recent.sweep(now);
  }

  /** The due time a row needs at birth: none in the ordinary course, one when the alarm's mark has already passed it. */
  firstDueAt(seq: string, now: number): number | null {
    return seq < this.watermarks.get("woken_to") ? now + WAKE_AGAIN_AFTER_MS : null;
  }

  #remember(now: number): void {
    this.recent.rebuild(now, this.files.remembered(seqAt(now - REACH_MS), now));
  }
}
