/**
 * The durable object of one inbound connection or one API key. It admits reports, is their home until they are archived,
 * and knows their status for at least 90 days. The decisions live next door; this class loads, delegates and keeps the alarm.
 */
import { DurableObject } from "cloudflare:workers";
import { boundedForBackground } from "../bounded.ts";
import { type Bindings, readSettings } from "../env.ts";
import { logError } from "../log.ts";
import { Admissions } from "./admission.ts";
import { Archiver } from "./archiver.ts";
import { parseFileId } from "./file-id.ts";
import { FileLifecycle } from "./file-lifecycle.ts";
import { Maintenance } from "./maintenance.ts";
import { migrate } from "./migrations.ts";
import { owedAfterReport, owedAfterSettling } from "./outbox.ts";
import type {
  Admission,
  Admitted,
  Charged,
  Claim,
  FileRecord,
  FileStatus,
  Outcome,
  OwedEvent,
  ProgressReport,
  Replayed,
  Reported,
  Settled,
  Snapshot,
} from "./protocol.ts";
import { CHECK_AFTER_MS, GateState } from "./state.ts";

/** An alarm that is this late was dropped by the platform, which gives up after six failures. */
const DROPPED_ALARM_MS = 60_000;

export class ConnectionGate extends DurableObject<Bindings> {
  readonly #state: GateState;
  readonly #admissions: Admissions;
  readonly #lifecycle: FileLifecycle;
  readonly #maintenance: Maintenance;
  #alarmAt: number | null = null;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    migrate(ctx.storage);
    const { archiveAfterMs } = readSettings(env);
    const { FILES } = boundedForBackground(env);
    this.#state = new GateState(ctx.storage.sql, Date.now());
    this.#admissions = new Admissions(this.#state);
    this.#lifecycle = new FileLifecycle(this.#state, archiveAfterMs);
    this.#maintenance = new Maintenance(this.#state, {
      archiver: new Archiver(this.#state, { bucket: env.ARCHIVE, archiveAfterMs, now: () => Date.now() }),
      wake: (messages) => FILES.sendBatch(messages.map((body) => ({ body }))).then(() => undefined),
      isLeased: (seq, now) => this.#lifecycle.isLeased(seq, now),
      now: () => Date.now(),
      random: () => Math.random(),
    });
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm();
    });
  }

  /** See {@link Admissions.admit}. */
  admit(admission: Admission): Admitted {
    const now = Date.now();
    const admitted = this.#admissions.admit(admission, now);
    if (admitted.outcome === "accepted" || admitted.outcome === "reserved")
      this.#wakeBy(now + CHECK_AFTER_MS);
    else this.#rearm();
    return admitted;
  }

  commit(fileId: string): boolean {
    const now = Date.now();
    const committed = this.#admissions.commit(seqOf(fileId), now);
    this.#wakeBy(now + CHECK_AFTER_MS);
    return committed;
  }

  /** Whether the file or its reservation is there: what an object in the archive is for. */
  expects(fileId: string): boolean {
    return this.#admissions.expects(seqOf(fileId));
  }

  charge(snapshot: Snapshot): Charged {
    return this.#admissions.charge(snapshot, Date.now());
  }

  read(snapshot: Snapshot): Charged {
    const charged = this.#admissions.read(snapshot, Date.now());
    this.#rearm();
    return charged;
  }

  /** Learns a newer snapshot. Answers the version the gate knows now. */
  refresh(snapshot: Snapshot): number {
    this.#state.learn(snapshot);
    this.#rearm();
    return this.#state.version;
  }

  /** Makes up for a dropped alarm. Any call does; this one does nothing else. */
  poke(): void {
    this.#rearm();
  }

  claim(fileIds: string[]): Claim {
    const claim = this.#lifecycle.claim(fileIds, Date.now());
    const owed = fileIds.flatMap((fileId) => this.#owedOf(fileId));
    this.#rearm();
    return owed.length === 0 ? claim : { ...claim, owed };
  }

  /** `listened`: whether the owner's webhooks may want to hear of it. Then the gate owes them the word from here on. */
  settle(fileId: string, token: string, outcome: Outcome, listened = false): Settled {
    const seq = seqOf(fileId);
    const now = Date.now();
    const before = listened ? this.#state.files.get(seq) : null;
    const settled = this.#lifecycle.settle(seq, token, outcome, now, Math.random());
    const word = before === null ? null : owedAfterSettling(before, outcome.kind, settled);
    if (before !== null && word !== null)
      this.#state.outbox.add(seq, word.type, before.generation, word.reason, now);
    this.#rearm();
    return word === null ? settled : { ...settled, owed: this.#owedOf(fileId) };
  }

  /** Where the events of a file have been stored, the gate owes them no more. */
  markPublished(fileId: string, events: Pick<OwedEvent, "type" | "generation">[]): void {
    for (const event of events) this.#state.outbox.markPublished(seqOf(fileId), event);
    this.#rearm();
  }

  /** Settles files that were claimed and then not tried: many at once, because in an outage they are. */
  postpone(claimed: { fileId: string; token: string }[], retryAfterMs: number): void {
    const now = Date.now();
    const outcome: Outcome = { kind: "postponed", retryAfterMs };
    for (const { fileId, token } of claimed)
      this.#lifecycle.settle(seqOf(fileId), token, outcome, now, Math.random());
    this.#rearm();
  }

  /** `listened`: as in {@link settle}. */
  report(fileId: string, report: ProgressReport, listened = false): Reported {
    const seq = seqOf(fileId);
    const now = Date.now();
    const before = listened ? this.#state.files.get(seq) : null;
    const reported = this.#lifecycle.report(seq, report, now, listened);
    const type = before === null ? null : owedAfterReport(before, reported);
    if (before !== null && type !== null) this.#state.outbox.add(seq, type, before.generation, null, now);
    this.#rearm();
    if (reported.outcome === "unknown") return reported;
    const owed = this.#owedOf(fileId);
    return owed.length === 0 ? reported : { ...reported, owed };
  }

  replay(fileId: string): Replayed {
    const replayed = this.#lifecycle.replay(seqOf(fileId), Date.now());
    this.#rearm();
    return replayed;
  }

  wait(fileId: string, timeoutMs: number): Promise<FileStatus | null> {
    return this.#lifecycle.wait(seqOf(fileId), timeoutMs);
  }

  status(fileId: string): FileRecord | null {
    const row = this.#state.files.get(seqOf(fileId));
    return row && this.#lifecycle.record(row);
  }

  /** Newest first; `before` is the last file id of the page before. */
  list(before: string | null, limit: number): FileRecord[] {
    const rows = this.#state.files.list(before === null ? null : seqOf(before), limit);
    return rows.map((row) => this.#lifecycle.record(row)).filter((record) => record !== null);
  }

  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    try {
      await this.#maintenance.run();
    } finally {
      this.#rearm();
    }
  }

  /** Files that are gone owe nothing. */
  #owedOf(fileId: string): OwedEvent[] {
    const seq = parseFileId(fileId)?.seq;
    if (seq === undefined || this.#state.outbox.earliest === null) return [];
    const row = this.#state.files.get(seq);
    if (row === null) this.#state.outbox.forget(seq);
    return row === null ? [] : this.#state.outbox.of(seq, fileId, row.facts);
  }

  #rearm(): void {
    const next = this.#maintenance.nextAt();
    if (next !== null) this.#wakeBy(next);
  }

  /** Sets the alarm unless an earlier one stands. Not awaited: it is written with the rows, and the output gate waits for both. */
  #wakeBy(at: number): void {
    const stands =
      this.#alarmAt !== null && this.#alarmAt <= at && this.#alarmAt > Date.now() - DROPPED_ALARM_MS;
    if (stands) return;
    this.#alarmAt = at;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(at));
  }
}

const STACK_CHARS = 2_000;

/** Logs what the methods of a gate throw, with the stack, which callers are not told. */
function withStacksLogged(prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method: unknown = Reflect.get(prototype, name);
    if (name === "constructor" || typeof method !== "function") continue;
    const logged = function (this: unknown, ...args: unknown[]): unknown {
      try {
        return Reflect.apply(method, this, args);
      } catch (error) {
        const stack = error instanceof Error ? error.stack?.slice(0, STACK_CHARS) : undefined;
        logError("unexpected error in a gate", { method: name, stack }, error);
        throw error;
      }
    };
    Object.defineProperty(prototype, name, { value: logged, writable: true, configurable: true });
  }
}

withStacksLogged(ConnectionGate.prototype);

function seqOf(fileId: string): string {
  const parsed = parseFileId(fileId);
  if (parsed === null) throw new Error("not a file id");
  return parsed.seq;
}
