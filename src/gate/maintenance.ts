/**
 * A gate's alarm, as a list of steps: wake the consumer for due files, remind it of events in the outbox, drop reservations whose
 * payload never came, archive settled files, hand counts over, report files that wait for long and sudden refusals to the watch, and
 * purge old rows. A step that fails is logged and due again; it stops no other step.
 */
import { logError } from "../log.ts";
import { type FileWakeUp, wakeUpsFor } from "../messages.ts";
import type { ConditionKind, RaisedCondition } from "../raised-conditions.ts";
import type { HandOver } from "../usage/hand-over.ts";
import type { Archiver } from "./archiver.ts";
import { wakeAgainDelayMs } from "./backoff.ts";
import { fileIdOf, mintedAt, seqAt } from "./file-id.ts";
import type { FileRow } from "./file-row.ts";
import { RefusedShare } from "./refused-share.ts";
import { CHECK_AFTER_MS, type GateState, STEP_RETRY_MS, WAKE_AGAIN_AFTER_MS } from "./state.ts";
import { WaitingFiles } from "./waiting-files.ts";

/** Files handled by one run of each step. Whatever is left is due at once. */
const ROWS_PER_RUN = 500;
/** Expired aliases are kept for another day, in case the clock is set back. */
const ALIASES_KEPT_MS = 86_400_000;
/** For at least this long, a file can be read, listed and replayed. */
export const KEEP_ROWS_MS = 90 * 86_400_000;
/** The same in a gate that is nearly full: forgetting old files earlier is better than refusing new ones. */
export const KEEP_ROWS_CROWDED_MS = 7 * 86_400_000;
/** A row may stay this much longer, until its whole day partition is old. After that it is deleted on its own. */
export const KEEP_ROWS_LONGER_MS = 7 * 86_400_000;
/** Above this database size, a gate is nearly full. */
export const CROWDED_BYTES = 6 * 1024 ** 3;
/** When the purge looks at a row: row keys differ by the millisecond, so that one more must have passed. */
const GONE_AFTER_MS = KEEP_ROWS_MS + KEEP_ROWS_LONGER_MS + 1;
const PURGED_PER_RUN = 5_000;
/** A busy gate always has a file that was just accepted. One alarm checks all files of half a minute. */
const BETWEEN_CHECKS_MS = 30_000;
/** Delay before the next purge when old files could not be purged yet: the alarm that archives one purges it as well. */
const BETWEEN_PURGES_MS = 86_400_000;
/** The same in a gate that is nearly full, which may accept nothing more until some files have gone. */
const BETWEEN_PURGES_CROWDED_MS = 3_600_000;

export interface MaintenanceDeps {
  archiver: Archiver;
  handOver: HandOver;
  /** Both resolve to whether the watch was reached, and never reject. */
  raise(condition: Omit<RaisedCondition, "subject">): Promise<boolean>;
  clear(kind: ConditionKind): Promise<boolean>;
  /** Sends wake-ups to the files queue. */
  wake(messages: FileWakeUp[]): Promise<void>;
  isLeased(seq: string, now: number): boolean;
  now(): number;
  random(): number;
}

export class Maintenance {
  readonly waitingFiles: WaitingFiles;
  readonly refusedShare: RefusedShare;
  readonly #state: GateState;
  readonly #deps: MaintenanceDeps;
  #freshNotBefore = 0;
  #purgedAt = 0;
  #purgeGoesOn = false;
  /** Null until first computed. The size is too costly to read in every call; each purge of a growing gate reads it again. */
  #crowded: boolean | null = null;

  constructor(state: GateState, deps: MaintenanceDeps) {
    this.#state = state;
    this.#deps = deps;
    const { watermarks, dueFiles, evidence, files } = state;
    const { raise, clear, now } = deps;
    this.waitingFiles = new WaitingFiles({
      oldestQueuedAt: () => dueFiles.oldestQueuedAt(),
      raisedAt: watermarks.of("waiting_raised_at"),
      ...{ raise, clear, now },
    });
    this.refusedShare = new RefusedShare({
      countsBetween: (from, to) => evidence.countsBetween(from, to),
      acceptedBetween: (from, to, most) => files.countBetween(from, to, most),
      acceptedBefore: (ms) => dueFiles.holdsAny("", seqAt(ms)),
      raisedAt: watermarks.of("refused_raised_at"),
      ...{ raise, clear, now },
    });
  }

  async run(): Promise<void> {
    await this.#step("expire evidence", async () => this.#state.evidence.purge(this.#deps.now()));
    // A gate that never had a report holds nothing but evidence.
    if (this.#state.snapshot === null) return this.#step("hand over", () => this.#deps.handOver.run());
    await this.#step("wake", () => this.#wakeDue());
    await this.#step("remind", () => this.#remindOfEvents());
    await this.#step("drop", () => this.#dropReservations());
    await this.#step("archive", () => this.#deps.archiver.run());
    await this.#step("hand over", () => this.#deps.handOver.run());
    await this.#step("report waiting files", () => this.waitingFiles.run());
    await this.#step("report refusals", () => this.refusedShare.run());
    await this.#step("purge", async () => this.#purge());
  }

  /** When the alarm is needed next; null if the gate holds nothing. */
  nextAt(): number | null {
    const { dueFiles, outbox, readCounter } = this.#state;
    const now = this.#deps.now();
    const candidates = [
      dueFiles.earliestUnsettled(),
      outbox.earliest,
      this.#freshAt(),
      this.#deps.archiver.nextAt(),
      this.#deps.handOver.nextAt(),
      this.#state.evidence.nextAt(),
      this.waitingFiles.nextAt(),
      this.refusedShare.nextAt(),
      readCounter.expireAt(),
      this.#purgeGoesOn ? now : this.#purgeAt(),
    ].filter((at) => at !== null);
    return candidates.length === 0 ? null : Math.max(now + 1_000, Math.min(...candidates));
  }

  async #step(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      logError(
        "failed to run a maintenance step of a gate",
        { step: name, gate: this.#state.gate.id },
        error,
      );
    }
  }

  /** When the oldest file that no alarm has seen yet must be checked. */
  #freshAt(): number | null {
    const { dueFiles, watermarks } = this.#state;
    const fresh = dueFiles.firstFrom(watermarks.get("woken_to"));
    return fresh === null ? null : Math.max(mintedAt(fresh) + CHECK_AFTER_MS, this.#freshNotBefore);
  }

  async #wakeDue(): Promise<void> {
    const { dueFiles, files, watermarks } = this.#state;
    const now = this.#deps.now();
    const upTo = seqAt(now - WAKE_AGAIN_AFTER_MS);
    const from = watermarks.get("woken_to");
    const fresh = from < upTo ? dueFiles.freshQueued(from, upTo, ROWS_PER_RUN) : [];
    const queued = [...fresh, ...dueFiles.dueQueued(now, ROWS_PER_RUN - fresh.length)];
    const woken = queued.filter((row) => {
      const leased = this.#deps.isLeased(row.seq, now);
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
    await this.#wake(woken);
  }

  async #wake(rows: FileRow[]): Promise<void> {
    const { gate, files } = this.#state;
    const messages = wakeUpsFor(rows.map((row) => fileIdOf(gate, row.seq)));
    if (messages.length === 0) return;
    try {
      await this.#deps.wake(messages);
    } catch (error) {
      // A wake-up that was not sent does not count: otherwise an outage of the queue would make every file a suspect.
      const dueAt = this.#deps.now() + STEP_RETRY_MS;
      for (const row of rows) files.update(row.seq, { wakeUps: row.wakeUps, dueAt });
      throw error;
    }
  }

  /** Whenever the consumer is woken for a file, it publishes the file's events. */
  async #remindOfEvents(): Promise<void> {
    const { gate, outbox } = this.#state;
    const fileIds = outbox.remind(this.#deps.now(), ROWS_PER_RUN).map((seq) => fileIdOf(gate, seq));
    const messages = wakeUpsFor(fileIds);
    if (messages.length > 0) await this.#deps.wake(messages);
  }

  /** A dropped row stays until its object is deleted, so that the Worker whose put comes late learns to delete the object itself. */
  async #dropReservations(): Promise<void> {
    const { dueFiles, files, recent } = this.#state;
    const now = this.#deps.now();
    const dropped = dueFiles.dueReservations(now, ROWS_PER_RUN);
    for (const { seq } of dropped) {
      files.drop(seq, now + STEP_RETRY_MS);
      recent.forget(seq);
    }
    for (const { seq, stored } of dropped) {
      if (stored !== null) await this.#deps.archiver.deleteObject(stored.key);
      files.delete(seq);
    }
  }

  #purgeAt(): number | null {
    const oldest = this.#state.dueFiles.firstFrom("");
    if (oldest === null) return null;
    this.#crowded ??= this.#isCrowded();
    return this.#crowded
      ? Math.max(mintedAt(oldest) + KEEP_ROWS_CROWDED_MS + 1, this.#purgedAt + BETWEEN_PURGES_CROWDED_MS)
      : Math.max(mintedAt(oldest) + GONE_AFTER_MS, this.#purgedAt + BETWEEN_PURGES_MS);
  }

  #purge(): void {
    const { dueFiles, repeats, readCounter, watermarks } = this.#state;
    const now = this.#deps.now();
    this.#purgedAt = now;
    this.#purgeGoesOn = false;
    this.#crowded = this.#isCrowded();
    const keepMs = this.#crowded ? KEEP_ROWS_CROWDED_MS : KEEP_ROWS_MS;
    repeats.purgeAliases(now - ALIASES_KEPT_MS);
    readCounter.purge(now);
    const before = seqAt(now - keepMs);
    const atLatest = seqAt(now - keepMs - KEEP_ROWS_LONGER_MS);
    // From now on these hours cannot be counted any more.
    if (before > watermarks.get("purged_to") && dueFiles.holdsAny("", before))
      watermarks.set("purged_to", before);
    this.#purgeGoesOn = dueFiles.purge(before, atLatest, PURGED_PER_RUN);
  }

  #isCrowded(): boolean {
    return this.#state.files.size > CROWDED_BYTES;
  }
}
