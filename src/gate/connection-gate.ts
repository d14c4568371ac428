/**
 * The Durable Object of one inbound connection or one API key. It admits reports, stores their payloads until they are archived,
 * and keeps their status for at least 90 days. The decisions are in the files beside this one: this class loads them, delegates
 * to them and sets the alarm.
 */
import { DurableObject } from "cloudflare:workers";
import type { Bindings } from "../bindings.ts";
import { boundedForBackground } from "../bounded.ts";
import { readSettings } from "../env.ts";
import type { Note } from "../evidence/request-entry.ts";
import type { RequestPage, RequestQuery } from "../evidence/request-page.ts";
import { type GateAddress, gateName } from "../model.ts";
import { clearCondition, raiseCondition } from "../raised-conditions.ts";
import { HandOver } from "../usage/hand-over.ts";
import { Admissions } from "./admission.ts";
import { Archiver } from "./archiver.ts";
import { restoreFiles, walkFiles } from "./bulk-replay.ts";
import { type CountedMinute, countMinutes } from "./counted-minutes.ts";
import { parseFileId } from "./file-id.ts";
import { FileLifecycle } from "./file-lifecycle.ts";
import { type FoundRequest, findRequest } from "./find-request.ts";
import { listFiles } from "./list-files.ts";
import { listRequests } from "./list-requests.ts";
import { Maintenance } from "./maintenance.ts";
import { migrate } from "./migrations.ts";
import { eventOfReport, eventOfSettlement } from "./outbox.ts";
import type {
  Admission,
  Admitted,
  ArchivedFile,
  Charged,
  Claim,
  FilePage,
  FileQuery,
  FileRecord,
  FileStatus,
  GateActivity,
  Outcome,
  OwedEvent,
  ProgressReport,
  Replayed,
  ReplayWalk,
  ReplayWalked,
  Reported,
  Restored,
  Settled,
  Snapshot,
} from "./protocol.ts";
import { withStacksLogged } from "./stack-logging.ts";
import { CHECK_AFTER_MS, GateState } from "./state.ts";

/** An alarm that is this late has been dropped: the platform gives up on an alarm after six failures. */
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
    const { FILES, DB, WATCH } = boundedForBackground(env);
    this.#state = new GateState(ctx.storage.sql, Date.now(), () => Math.random());
    this.#admissions = new Admissions(this.#state);
    this.#lifecycle = new FileLifecycle(this.#state, archiveAfterMs);
    const subject = () => gateName(this.#state.gate);
    this.#maintenance = new Maintenance(this.#state, {
      archiver: new Archiver(this.#state, { bucket: env.ARCHIVE, archiveAfterMs, now: () => Date.now() }),
      handOver: new HandOver({
        db: DB,
        hours: this.#state.changedHours,
        scope: () => this.#state.gate,
        countHour: (at) => this.#state.countHour(at, () => scheduler.wait(0)),
        now: () => Date.now(),
      }),
      raise: (condition) => raiseCondition({ WATCH }, { ...condition, subject: subject() }),
      clear: (kind) => clearCondition({ WATCH }, { kind, subject: subject() }),
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

  /** Whether the file or its reservation exists. If not, nothing needs an object that was put for it. */
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

  /** Stores a newer snapshot. Returns the version that the gate knows now. */
  refresh(snapshot: Snapshot): number {
    this.#state.learn(snapshot);
    this.#rearm();
    return this.#state.version;
  }

  /** Sets the alarm again if the platform has dropped it, as every other call does too. */
  poke(): void {
    this.#rearm();
  }

  /** `acceptedMs`: of each file, how long its acceptance took; null or absent if that is not known. */
  claim(fileIds: string[], acceptedMs: (number | null)[] = []): Claim {
    const claim = this.#lifecycle.claim(fileIds, Date.now(), acceptedMs);
    const owed = fileIds.flatMap((fileId) => this.#owedOf(fileId));
    this.#rearm();
    return owed.length === 0 ? claim : { ...claim, owed };
  }

  /** `listened`: whether webhooks may subscribe to the file. If so, the event that the outcome causes enters the outbox. */
  settle(fileId: string, token: string, outcome: Outcome, listened = false): Settled {
    const seq = seqOf(fileId);
    const now = Date.now();
    const before = listened ? this.#state.files.get(seq) : null;
    const settled = this.#lifecycle.settle(seq, token, outcome, now, Math.random());
    const event = before === null ? null : eventOfSettlement(before, outcome.kind, settled);
    if (before !== null && event !== null)
      this.#state.outbox.add(seq, event.type, before.generation, event.reason, now);
    this.#maintenance.waitingFiles.settled();
    this.#rearm();
    return event === null ? settled : { ...settled, owed: this.#owedOf(fileId) };
  }

  /** Removes events from the outbox once they are stored with their deliveries. */
  markPublished(fileId: string, events: Pick<OwedEvent, "type" | "generation">[]): void {
    for (const event of events) this.#state.outbox.markPublished(seqOf(fileId), event);
    this.#rearm();
  }

  /** Settles files that were claimed but not tried. In an outage there are many, so one call takes them all. */
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
    const type = before === null ? null : eventOfReport(before, reported);
    if (before !== null && type !== null) this.#state.outbox.add(seq, type, before.generation, null, now);
    this.#maintenance.waitingFiles.settled();
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

  /** See {@link walkFiles}. */
  replayRange(walk: ReplayWalk): ReplayWalked {
    const walked = walkFiles(this.#state, this.#lifecycle, walk, Date.now());
    this.#rearm();
    return walked;
  }

  /** See {@link restoreFiles}. */
  restore(job: string | null, archived: ArchivedFile[]): Restored {
    const restored = restoreFiles(this.#state, job, archived, Date.now());
    this.#rearm();
    return restored;
  }

  wait(fileId: string, timeoutMs: number): Promise<FileStatus | null> {
    return this.#lifecycle.wait(seqOf(fileId), timeoutMs);
  }

  status(fileId: string): FileRecord | null {
    const row = this.#state.files.get(seqOf(fileId));
    return row && this.#lifecycle.record(row);
  }

  /** See {@link findRequest}. Null if the gate has no record of the request. */
  findRequest(requestId: string, at: number): FoundRequest | null {
    return findRequest(this.#state, (row) => this.#lifecycle.record(row), requestId, at);
  }

  /** Records evidence that an isolate has gathered. `address` is the gate's own. */
  note(address: GateAddress, note: Note): void {
    this.#state.note(address, note, Date.now());
    const requests = note.counts.reduce((sum, { n }) => sum + n, 0);
    if (requests > 0) this.#maintenance.refusedShare.noted(requests);
    this.#rearm();
  }

  /** See {@link listRequests}. */
  requests(query: RequestQuery): Promise<RequestPage> {
    return listRequests(this.#state, query, () => scheduler.wait(0));
  }

  /** What the portal shows of the gate beside its row in D1. */
  activity(): GateActivity {
    return { lastReportAt: this.#state.files.list(null, 1)[0]?.facts.receivedAt ?? null };
  }

  /** See {@link countMinutes}. */
  minutes(from: number, to: number): Promise<CountedMinute[]> {
    return countMinutes(this.#state, { from, to }, () => scheduler.wait(0));
  }

  /** Newest first. `before` is the last file id of the previous page. */
  list(before: string | null, limit: number): FileRecord[] {
    const rows = this.#state.files.list(before === null ? null : seqOf(before), limit);
    return rows.map((row) => this.#lifecycle.record(row)).filter((record) => record !== null);
  }

  /** See {@link listFiles}. */
  listFiles(query: FileQuery): FilePage {
    return listFiles(this.#state, this.#lifecycle, query);
  }

  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    try {
      await this.#maintenance.run();
    } finally {
      this.#rearm();
    }
  }

  /** What the outbox holds for a file. The events of a file that has been purged are dropped. */
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

  /** Sets the alarm unless an earlier one is set. Not awaited: the alarm is written with the rows, and the output gate waits for both. */
  #wakeBy(at: number): void {
    const isSetEarlier =
      this.#alarmAt !== null && this.#alarmAt <= at && this.#alarmAt > Date.now() - DROPPED_ALARM_MS;
    if (isSetEarlier) return;
    this.#alarmAt = at;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(at));
  }
}

withStacksLogged(ConnectionGate.prototype);

function seqOf(fileId: string): string {
  const parsed = parseFileId(fileId);
  if (parsed === null) throw new Error("not a file id");
  return parsed.seq;
}
