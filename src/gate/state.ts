/** What the parts of one gate share: its rows, its memory, and the newest it knows of its row in D1. */

import type { GateAddress } from "../model.ts";
import { Tables } from "./day-partitions.ts";
import { Agenda } from "./due-files.ts";
import { seqAt } from "./file-id.ts";
import { Inbox } from "./file-store.ts";
import { OwedEvents } from "./outbox.ts";
import type { Snapshot } from "./protocol.ts";
import { HOUR_MS } from "./rate-window.ts";
import { ReadLog } from "./read-counter.ts";
import { MAX_CLOCK_SKEW_MS, type Memory, SIGNATURE_WINDOW_MS } from "./recent-requests.ts";
import { Marks } from "./watermarks.ts";

/** How long a report may wait for its first settlement before the gate wakes the consumer again. */
export const WAKE_AGAIN_AFTER_MS = 60_000;
/** When the alarm looks after it: keys are told apart by the millisecond, so that one must have passed. */
export const LOOK_AFTER_MS = WAKE_AGAIN_AFTER_MS + 1;

// Memory reaches back an hour (rates, bodies), which covers every signature that can still verify.
const REACH_MS = Math.max(HOUR_MS + 60_000, 2 * SIGNATURE_WINDOW_MS) + MAX_CLOCK_SKEW_MS;

export class GateState {
  readonly inbox: Inbox;
  readonly agenda: Agenda;
  readonly marks: Marks;
  readonly readLog: ReadLog;
  readonly owed: OwedEvents;
  readonly memory: Memory;
  #snapshot: Snapshot | null;

  constructor(sql: SqlStorage, memory: Memory, now: number) {
    const tables = new Tables(sql);
    this.inbox = new Inbox(sql, tables);
    this.agenda = new Agenda(tables);
    this.marks = new Marks(sql);
    this.readLog = new ReadLog(sql);
    this.owed = new OwedEvents(sql);
    this.memory = memory;
    this.#snapshot = this.marks.snapshot();
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
    this.marks.setSnapshot(snapshot);
    return true;
  }

  /** Notes the time. A clock that went back makes forgotten entries count again, so they are read back. */
  tick(now: number): void {
    if (this.memory.wentBack(now)) this.#remember(now);
    this.memory.sweep(now);
  }

  /** The due time a row needs at birth: none in the ordinary course, one when the alarm's mark has already passed it. */
  firstDueAt(seq: string, now: number): number | null {
    return seq < this.marks.get("woken_to") ? now + WAKE_AGAIN_AFTER_MS : null;
  }

  #remember(now: number): void {
    this.memory.rebuild(now, this.inbox.remembered(seqAt(now - REACH_MS), now));
  }
}
