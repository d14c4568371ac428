/**
 * A file from its claim to its settlement: leases in memory, results in the row, and callers that wait for a result.
 *
 * Any token of the file's generation can settle it as forwarded, because the files-creator has the file, whichever consumer sent
 * it. Only the current token can defer or reject it, so that a consumer whose lease has expired never undoes a later success. An
 * object that restarts forgets its leases. The worst consequence is one more POST, which the files-creator ignores by its
 * idempotency key.
 */
import { randomBase32 } from "../crypto/ids.ts";
import { logError } from "../log.ts";
import { SIGNATURE_WINDOW_MS } from "../model.ts";
import { GIVE_UP_AFTER_MS, postponeDelayMs, retryDelayMs } from "./backoff.ts";
import { fileIdOf, mintedAt, parseFileId } from "./file-id.ts";
import {
  attemptsIn,
  type FileProgress,
  NO_PROGRESS,
  orderOf,
  orderOfUnkept,
  progressWith,
  replayedProgress,
  reportsWith,
  sameCounts,
  withAttempt,
} from "./file-progress.ts";
import { type FileRow, publicStatus } from "./file-row.ts";
import type {
  Claim,
  Claimed,
  FileRecord,
  FileStatus,
  Outcome,
  ProgressReport,
  Replayed,
  Reported,
  Settled,
} from "./protocol.ts";
import { type GateState, WAKE_AGAIN_AFTER_MS } from "./state.ts";

/** Longer than a consumer can take for a batch: ten messages of ten files, six at a time, 30 s each. */
export const FILE_LEASE_MS = 600_000;
/** A restored row is archived already. Its due time keeps it from being purged before the files-creator has reported on the file. */
const KEEP_RESTORED_MS = 7 * 86_400_000;
/** After this many wake-ups without a settlement, a file is forwarded alone. */
const SUSPECT_AFTER_WAKE_UPS = 3;
/** A status is only ever replaced by one of a higher rank. */
const RANK: Record<FileStatus, number> = { queued: 0, processing: 1, completed: 2, failed: 2 };

export class FileLifecycle {
  readonly #state: GateState;
  readonly #archiveAfterMs: number;
  readonly #leases = new Map<string, { token: string; until: number; acceptedMs: number | null }>();
  readonly #waiting = new Map<string, Set<(status: FileStatus) => void>>();

  constructor(state: GateState, archiveAfterMs: number) {
    this.#state = state;
    this.#archiveAfterMs = archiveAfterMs;
  }

  /**
   * Leases those of `fileIds` that still need forwarding and are not leased. The files of an erased gate fail here, because nobody
   * can open their payloads. What is known of how long the acceptances took is written with the next change of each row.
   */
  claim(fileIds: readonly string[], now: number, acceptedMs: readonly (number | null)[] = []): Claim {
    const { files, snapshot } = this.#state;
    if (snapshot === null) return { wrappedKey: "", files: [] };
    const claimed: Claimed[] = [];
    for (const [index, fileId] of fileIds.entries()) {
      const seq = parseFileId(fileId)?.seq;
      const row = seq === undefined ? null : files.get(seq);
      if (row === null || row.state !== "queued" || this.isLeased(row.seq, now)) continue;
      if (this.#state.erased) {
        this.#finish(row, "failed", row.attempts, now, { error: null });
        continue;
      }
      const payload = this.#payloadOf(row);
      if (payload === null) {
        logError("failed to find the payload of a queued file", { file_id: fileId });
        continue;
      }
      const token = `${row.generation}.${randomBase32(16)}`;
      this.#leases.set(row.seq, {
        token,
        until: now + FILE_LEASE_MS,
        acceptedMs: acceptedMs[index] ?? null,
      });
      claimed.push({
        fileId,
        token,
        attempt: row.attempts + 1,
        generation: row.generation,
        facts: row.facts,
        suspect: row.wakeUps >= SUSPECT_AFTER_WAKE_UPS,
        payload,
      });
    }
    return { wrappedKey: snapshot.wrappedKey, files: claimed };
  }

  isLeased(seq: string, now: number): boolean {
    return (this.#leases.get(seq)?.until ?? 0) > now;
  }

  settle(seq: string, token: string, outcome: Outcome, now: number, random: number): Settled {
    const { files } = this.#state;
    const row = files.get(seq);
    const status = row && publicStatus(row.state);
    if (row === null || status === null)
      return { applied: false, status: "failed", attempts: 0, nextAttemptAt: null };
    const unchanged = { applied: false, status, attempts: row.attempts, nextAttemptAt: row.dueAt };
    const known = this.#progressOf(row);
    const current = this.#leases.get(seq)?.token === token;
    if (current) this.#leases.delete(seq);
    const succeeded = outcome.kind === "forwarded" && token.startsWith(`${row.generation}.`);
    if (row.state !== "queued" || !(current || succeeded)) return unchanged;

    const { generation } = row;
    switch (outcome.kind) {
      case "forwarded": {
        const progress = {
          ...withAttempt(known, { generation, at: now, outcome: "forwarded", responseStatus: null }),
          ...(outcome.recordsTotal !== null && { recordsTotal: outcome.recordsTotal }),
        };
        return this.#finish(row, "processing", row.attempts + 1, now, { progress });
      }
      case "refused": {
        const { kind, responseStatus, error } = outcome;
        const progress = withAttempt(known, { generation, at: now, outcome: kind, responseStatus });
        return this.#finish(row, "failed", row.attempts + 1, now, { progress, error });
      }
      case "deferred": {
        const attempts = row.attempts + 1;
        const { kind, responseStatus, error } = outcome;
        const progress = withAttempt(known, { generation, at: now, outcome: kind, responseStatus });
        if (now - row.queuedAt >= GIVE_UP_AFTER_MS)
          return this.#finish(row, "failed", attempts, now, { progress, error });
        const dueAt = now + retryDelayMs(attempts, outcome.retryAfterMs, random);
        files.update(seq, { attempts, dueAt, wakeUps: 0, updatedAt: now, progress, error });
        return { applied: true, status: "queued", attempts, nextAttemptAt: dueAt };
      }
      case "postponed": {
        const dueAt = now + postponeDelayMs(outcome.retryAfterMs, now - row.queuedAt, random);
        // The file was not tried, so this wake-up says nothing about whether the file crashes the consumer.
        files.update(seq, { dueAt, wakeUps: Math.max(0, row.wakeUps - 1), progress: known });
        return { applied: true, status: "queued", attempts: row.attempts, nextAttemptAt: dueAt };
      }
    }
  }

  /**
   * Moves a file's status forwards. A report on a queued file settles it, because its sender has the file. Idempotent per event id.
   * `listened`: webhooks may subscribe to the file, so the report's position among the file's reports is kept.
   */
  report(seq: string, report: ProgressReport, now: number, listened = false): Reported {
    const row = this.#state.files.get(seq);
    const status = row && publicStatus(row.state);
    if (row === null || status === null) return { outcome: "unknown" };
    const known = this.#progressOf(row);
    const { employerId, environment, receivedAt } = row.facts;
    const facts = { employerId, environment, receivedAt };
    if (known.eventIds.includes(report.eventId)) {
      const order =
        orderOf(report.eventId, known.reports, now) ?? orderOfUnkept(report, status, row.updatedAt);
      return { outcome: "repeat", status, facts, order };
    }
    const withIt = reportsWith(report, known.reports, now);
    const progress = progressWith(report, known, listened ? withIt : known.reports);
    // After a replay, a `processing` report may still concern the previous generation. It can be ignored: the files-creator's
    // response to the POST carries the same information.
    const early = report.status === "processing" && row.generation > 1 && !this.isLeased(seq, now);
    if (early || RANK[report.status] <= RANK[status]) {
      // Counts belong to the status that they came with. A report without new counts is not written; it may be repeated.
      const counted = report.status === status ? progress : { ...known, eventIds: progress.eventIds };
      const order = orderOfUnkept(report, status, now);
      if (order === null || !listened) {
        if (!sameCounts(counted, known)) this.#state.files.update(seq, { progress: counted });
        return { outcome: "unmoved", status, facts, order };
      }
      this.#state.files.update(seq, { progress: { ...counted, reports: withIt } });
      return { outcome: "unmoved", status, facts, order: orderOf(report.eventId, withIt, now) };
    }
    // The report overtook the response to the POST, so it stands for it.
    const { generation } = row;
    const arrived = { generation, at: now, outcome: "forwarded", responseStatus: null } as const;
    this.#finish(row, report.status, Math.max(row.attempts, 1), now, {
      progress: status === "queued" ? withAttempt(progress, arrived) : progress,
    });
    const order = orderOf(report.eventId, withIt, now);
    const wasDeferred = status === "queued" && row.attempts > 0;
    return { outcome: "moved", status: report.status, wasDeferred, facts, order };
  }

  /** Queues a settled file again, as a new generation with its own idempotency key at the files-creator. `job`: see `bulk-replay.ts`. */
  replay(seq: string, now: number, job: string | null = null): Replayed {
    const { files } = this.#state;
    const row = files.get(seq);
    const status = row && publicStatus(row.state);
    if (row === null || status === null || this.#state.erased) return { outcome: "unknown" };
    if (status === "queued" || status === "processing") return { outcome: "unsettled" };
    const generation = row.generation + 1;
    files.update(seq, {
      state: "queued",
      generation,
      attempts: 0,
      wakeUps: 0,
      queuedAt: now,
      updatedAt: now,
      dueAt: now + WAKE_AGAIN_AFTER_MS,
      progress: replayedProgress(
        row.progress ?? NO_PROGRESS,
        status === "completed" ? row.updatedAt : null,
        job,
      ),
      error: null,
    });
    return { outcome: "queued", generation };
  }

  /** Resolves when the file is settled, or with its status after `timeoutMs`. Null for an unknown file. */
  async wait(seq: string, timeoutMs: number): Promise<FileStatus | null> {
    const row = this.#state.files.get(seq);
    const status = row && publicStatus(row.state);
    if (status === null || status !== "queued") return status;
    const { promise, resolve } = Promise.withResolvers<FileStatus>();
    const waiting = this.#waiting.get(seq) ?? new Set();
    this.#waiting.set(seq, waiting.add(resolve));
    const timer = setTimeout(resolve, timeoutMs, "queued");
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(resolve);
      if (waiting.size === 0) this.#waiting.delete(seq);
    }
  }

  record(row: FileRow): FileRecord | null {
    const status = publicStatus(row.state);
    if (status === null) return null;
    const { warnings, ...facts } = row.facts;
    return {
      fileId: fileIdOf(this.#state.gate, row.seq),
      status,
      // They name fields of the report, which is erased.
      facts: warnings === undefined || this.#state.erased ? facts : { ...facts, warnings },
      generation: row.generation,
      attempts: row.attempts,
      nextAttemptAt: status === "queued" ? row.dueAt : null,
      recordsTotal: row.progress?.recordsTotal ?? null,
      recordsProcessed: row.progress?.recordsProcessed ?? null,
      recordsFailed: row.progress?.recordsFailed ?? null,
      signedAt: row.signedUntil === null ? null : row.signedUntil - SIGNATURE_WINDOW_MS,
      admittedAt: row.admittedAt,
      queuedAt: row.queuedAt,
      tries: attemptsIn(row.progress ?? NO_PROGRESS),
      reportIds: row.progress?.eventIds ?? [],
      forwardedAt: row.progress?.forwardedAt ?? null,
      completedAt: status === "completed" ? (row.progress?.completedAt ?? row.updatedAt) : null,
      failedAt: status === "failed" ? row.updatedAt : null,
      isArchived: row.stored !== null,
      archivedAt: row.stored?.at ?? null,
      archiveDueAt: status === "queued" || row.stored !== null ? null : this.#archiveDueAt(row),
      updatedAt: row.updatedAt,
    };
  }

  #archiveDueAt({ seq, dueAt }: FileRow): number {
    return dueAt ?? mintedAt(seq) + this.#archiveAfterMs + WAKE_AGAIN_AFTER_MS;
  }

  /** With how long the acceptance took, if the consumer that has leased the file said so. */
  #progressOf({ seq, progress }: FileRow): FileProgress {
    const known = progress ?? NO_PROGRESS;
    const acceptedMs = known.ms ?? this.#leases.get(seq)?.acceptedMs ?? null;
    return acceptedMs === null ? known : { ...known, ms: acceptedMs };
  }

  #payloadOf(row: FileRow): Claimed["payload"] | null {
    if (row.stored !== null) return { stored: row.stored };
    const sealed = this.#state.files.payload(row.seq);
    return sealed && { sealed };
  }

  /** A row with a due time keeps one until it is archived, because the alarm's watermarks may have passed it. */
  #finish(
    row: FileRow,
    state: Exclude<FileStatus, "queued">,
    attempts: number,
    now: number,
    change: { progress?: FileProgress; error?: Uint8Array<ArrayBuffer> | null },
  ): Settled {
    const dueAfterMs = row.progress?.restored === true ? KEEP_RESTORED_MS : this.#archiveAfterMs;
    const dueAt = row.dueAt === null ? null : now + dueAfterMs;
    this.#leases.delete(row.seq);
    this.#state.files.update(row.seq, { state, attempts, dueAt, wakeUps: 0, updatedAt: now, ...change });
    for (const resolve of this.#waiting.get(row.seq) ?? []) resolve(state);
    return { applied: true, status: state, attempts, nextAttemptAt: null };
  }
}
