/**
 * Admission: one synchronous decision per signed request. Nothing here awaits, so reading and writing are one
 * transaction, and the object's output gate holds the answer until it is on disk.
 */
import { SEAL_OVERHEAD_BYTES } from "../crypto/vault.ts";
import { segmentKey } from "./archive-format.ts";
import { fileIdOf, keyOfFileId } from "./file-id.ts";
import { publicStatus } from "./file-row.ts";
import { KEY_MEMORY_MS } from "./file-store.ts";
import type { Admission, Admitted, ArchiveLocation, Charged, FileFacts, Snapshot } from "./protocol.ts";
import {
  HOUR_MS,
  PLAN_LIMITS,
  type RateLimits,
  type RateStatus,
  RateWindows,
  UNNOTICED_STEP_MS,
} from "./rate-window.ts";
import { MAX_CLOCK_SKEW_MS, RETRIED_BODY_MS, SIGNATURE_WINDOW_MS } from "./recent-requests.ts";
import type { GateState } from "./state.ts";

/** An object holds 10 GB; above this the gate takes no more, so that archiving still has room to work. */
export const MAX_DATABASE_BYTES = 8 * 1024 ** 3;
/** The largest plan adds 130 MB in this time, far less than what is left above the limit. */
const ROOM_HOLDS_MS = 60_000;
/** Reservations whose payload never came are dropped after this. */
export const RESERVATION_MS = 600_000;
/** Repeats cost no quota, but each found by its key or body writes rows: more than these at a time are turned away. */
export const MAX_ALIASES = 20_000;

export class Admissions {
  readonly #state: GateState;
  #reads: RateWindows | null = null;
  #latestRead = 0;
  #roomUntil = 0;

  constructor(state: GateState) {
    this.#state = state;
  }

  /** Idempotent on the file id. Order: version, clock, signature, key, body, rate, room, row. */
  admit(admission: Admission, now: number): Admitted {
    const { files, recent } = this.#state;
    const { known, fileId, signed, bodyMac, keyMac } = admission;
    const key = keyOfFileId(fileId);
    if (key === null) throw new Error("admit was called without a file id");
    const { seq } = key;

    if (typeof known !== "number" && !this.#state.learn(known)) return { outcome: "stale" };
    if (typeof known === "number" && known !== this.#state.version)
      return { outcome: known < this.#state.version ? "stale" : "unknown_version" };
    this.#state.tick(now);
    if (signed !== null && Math.abs(now - signed.timestampMs) > SIGNATURE_WINDOW_MS)
      return { outcome: "expired" };
    if (Math.abs(now - key.mintedAt) > MAX_CLOCK_SKEW_MS)
      return { outcome: "unavailable", reason: "clock_skew" };

    const bySignature = signed && recent.bySignature(signed.signature, now);
    if (bySignature !== null) return this.#repeat(bySignature, seq, now);
    if (signed === null && files.get(seq) !== null) return this.#repeat(seq, seq, now);
    const byKey = keyMac === null ? null : files.byKey(keyMac, now);
    if (byKey !== null) {
      if (byKey.seq !== seq && byKey.bodyMac !== bodyMac)
        return { outcome: "conflict", rate: this.#standing(now) };
      return this.#repeatOtherwise(byKey.seq, { signed, newKeyMac: null }, seq, now);
    }
    const byBody = recent.byBody(bodyMac, now);
    if (byBody !== null && (admission.sameBody === "deduplicate" || this.#isRetry(admission, now)))
      return this.#repeatOtherwise(byBody, { signed, newKeyMac: keyMac }, seq, now);

    if (!recent.allows(this.#limits, now)) return { outcome: "limited", rate: this.#standing(now) };
    if (!this.#hasRoom(now)) return { outcome: "unavailable", reason: "full" };

    const earlier = byBody && files.get(byBody);
    const sameBodyAs =
      earlier && publicStatus(earlier.state) !== null
        ? { sameBodyAs: fileIdOf(this.#state.gate, earlier.seq) }
        : {};
    const stored = admission.sealed === null ? this.#placeFor(seq, admission.facts) : null;
    const signedUntil = signed && signed.timestampMs + SIGNATURE_WINDOW_MS;
    const written = files.insert({
      seq,
      state: stored === null ? "queued" : "receiving",
      now,
      signature: signed?.signature ?? null,
      signedUntil,
      bodyMac,
      keyMac,
      facts: earlier === null ? admission.facts : withFact(admission.facts, sameBodyAs),
      dueAt: stored === null ? this.#state.firstDueAt(seq, now) : now + RESERVATION_MS,
      stored,
      sealed: admission.sealed,
    });
    if (written === 0) return { outcome: "taken" };
    recent.add({ seq, admittedAt: now, signature: signed?.signature ?? null, signedUntil, bodyMac });
    const rate = this.#standing(now);
    return stored === null
      ? { outcome: "accepted", rate, ...sameBodyAs }
      : { outcome: "reserved", place: stored.key, rate, ...sameBodyAs };
  }

  /** The payload of a reservation is in place. False when the reservation is gone: nothing was accepted. */
  commit(seq: string, now: number): boolean {
    const row = this.#state.files.get(seq);
    if (row === null || row.state === "dropped") return false;
    if (row.state === "receiving") {
      this.#state.files.update(seq, {
        state: "queued",
        dueAt: this.#state.firstDueAt(seq, now),
        updatedAt: now,
      });
    }
    return true;
  }

  /** Whether a payload that arrives now belongs to something. */
  expects(seq: string): boolean {
    const row = this.#state.files.get(seq);
    return row !== null && row.state !== "dropped";
  }

  /** A signed request that was refused for its content: it counts, and nothing is written. */
  charge(snapshot: Snapshot, now: number): Charged {
    if (!this.#state.learn(snapshot)) return { outcome: "stale" };
    this.#state.tick(now);
    this.#state.recent.charge(now);
    return { outcome: "charged", rate: this.#standing(now) };
  }

  /** A read with the key this gate belongs to: limited apart from submissions, exact across restarts (one row a read). */
  read(snapshot: Snapshot, now: number): Charged {
    if (!this.#state.learn(snapshot)) return { outcome: "stale" };
    const wentBack = now < this.#latestRead - UNNOTICED_STEP_MS;
    if (wentBack) this.#reads = null;
    this.#latestRead = wentBack ? now : Math.max(this.#latestRead, now);
    this.#reads ??= this.#rebuildReads(now);
    const before = this.#reads.standing(PLAN_LIMITS[snapshot.plan], now);
    if (!before.allowed) return { outcome: "charged", rate: before };
    this.#state.readCounter.count(now);
    this.#reads.add(now);
    return {
      outcome: "charged",
      rate: { ...this.#reads.standing(PLAN_LIMITS[snapshot.plan], now), allowed: true },
    };
  }

  /** Whether an equal body came within minutes to the same endpoint, as a client sends it that got no answer. */
  #isRetry({ sameBody, keyMac, bodyMac, facts }: Admission, now: number): boolean {
    if (sameBody !== "retry" || keyMac !== null) return false;
    const seq = this.#state.recent.byBody(bodyMac, now, RETRIED_BODY_MS);
    const { kind }: FileFacts = JSON.parse(facts);
    return seq !== null && this.#state.files.get(seq)?.facts.kind === kind;
  }

  #repeat(seq: string, ownSeq: string, now: number): Admitted {
    const { gate, files } = this.#state;
    const row = files.get(seq);
    if (row === null) throw new Error("a remembered file has no row");
    const rate = this.#standing(now);
    const status = publicStatus(row.state);
    if (status === null) {
      const place = row.stored?.key ?? this.#segmentKey(seq);
      // The Worker asks again with its own id when it got no answer: that is still its reservation.
      return seq === ownSeq
        ? { outcome: "reserved", place, rate }
        : { outcome: "receiving", fileId: fileIdOf(gate, seq), place, rate };
    }
    if (seq === ownSeq) {
      const { sameBodyAs } = row.facts;
      return sameBodyAs === undefined
        ? { outcome: "accepted", rate }
        : { outcome: "accepted", rate, sameBodyAs };
    }
    return { outcome: "repeat", fileId: fileIdOf(gate, seq), status, facts: row.facts, rate };
  }

  /**
   * A repeat that was not found by its signature: remembers its signature too, and its key where that is new, so that it
   * is found without the key or the body. (A repeat found by its signature teaches no key: anyone can add an unsigned one.)
   */
  #repeatOtherwise(
    seq: string,
    { signed, newKeyMac }: { signed: Admission["signed"]; newKeyMac: string | null },
    ownSeq: string,
    now: number,
  ): Admitted {
    const { files, recent } = this.#state;
    if (seq === ownSeq) return this.#repeat(seq, ownSeq, now);
    if (signed !== null || newKeyMac !== null) {
      if (files.countAliases() >= MAX_ALIASES) files.purgeAliases(now);
      if (files.countAliases() >= MAX_ALIASES) return { outcome: "unavailable", reason: "too_many_repeats" };
    }
    if (newKeyMac !== null) files.addAlias(newKeyMac, seq, now + KEY_MEMORY_MS);
    if (signed !== null) {
      const signedUntil = signed.timestampMs + SIGNATURE_WINDOW_MS;
      files.addAlias(signed.signature, seq, signedUntil);
      recent.add({ seq, admittedAt: null, signature: signed.signature, signedUntil, bodyMac: null });
    }
    return this.#repeat(seq, ownSeq, now);
  }

  /** Asking the database for its size costs as much as the rest of the decision: room that was seen is taken for a while. */
  #hasRoom(now: number): boolean {
    if (now < this.#roomUntil && now >= this.#roomUntil - ROOM_HOLDS_MS) return true;
    const room = this.#state.files.size <= MAX_DATABASE_BYTES;
    this.#roomUntil = room ? now + ROOM_HOLDS_MS : 0;
    return room;
  }

  /** Where a payload will lie that is too large for a row. */
  #placeFor(seq: string, facts: string): ArchiveLocation {
    const { size }: FileFacts = JSON.parse(facts);
    return { key: this.#segmentKey(seq), offset: 0, length: size + SEAL_OVERHEAD_BYTES };
  }

  #segmentKey(seq: string): string {
    return segmentKey(this.#state.gate, this.#state.snapshot?.retentionYears ?? 0, seq);
  }

  get #limits(): RateLimits {
    const { snapshot } = this.#state;
    if (snapshot === null) throw new Error("the gate has not learned its plan");
    return PLAN_LIMITS[snapshot.plan];
  }

  #standing(now: number): RateStatus {
    return this.#state.recent.standing(this.#limits, now);
  }

  #rebuildReads(now: number): RateWindows {
    const windows = new RateWindows();
    for (const { at, count } of this.#state.readCounter.since(now - HOUR_MS - 60_000)) windows.add(at, count);
    return windows;
  }
}

/** Facts as JSON, with more of them. */
function withFact(facts: string, more: Partial<FileFacts>): string {
  return JSON.stringify({ ...JSON.parse(facts), ...more });
}
