/**
 * Admission: one synchronous decision per request. Nothing here awaits, so all reads and writes are one transaction, and the
 * object's output gate holds the result back until the writes are on disk.
 */
import { SEAL_OVERHEAD_BYTES } from "../crypto/vault.ts";
import { PLAN_LIMITS, type RateLimits, type RateStatus, SIGNATURE_WINDOW_MS } from "../model.ts";
import { segmentKey } from "./archive-format.ts";
import { fileIdOf, seqOfFileId } from "./file-id.ts";
import { publicStatus } from "./file-row.ts";
import type { Admission, Admitted, ArchiveLocation, Charged, FileFacts, Snapshot } from "./protocol.ts";
import { COUNTS_FOR_MS, RateWindows, UNNOTICED_STEP_MS } from "./rate-window.ts";
import { MAX_CLOCK_SKEW_MS, RETRIED_BODY_MS } from "./recent-requests.ts";
import { KEY_MEMORY_MS } from "./repeat-store.ts";
import type { GateState } from "./state.ts";

/** An object holds 10 GB. Above this size the gate refuses reports, so that archiving still has room. */
export const MAX_DATABASE_BYTES = 8 * 1024 ** 3;
/** How long a check of the database size is valid. The largest plan adds 130 MB in this time, far less than the room left. */
const ROOM_HOLDS_MS = 60_000;
/** A reservation whose payload has not arrived is dropped after this. */
export const RESERVATION_MS = 600_000;
/** Repeats cost no quota, but each repeat found by its key or body writes rows. More than this many at a time are refused. */
export const MAX_ALIASES = 20_000;

export class Admissions {
  readonly #state: GateState;
  #reads: RateWindows | null = null;
  #latestRead = 0;
  #roomUntil = 0;

  constructor(state: GateState) {
    this.#state = state;
  }

  /** Idempotent per file id. Checks in order: version, clock, signature, key, body, rate, room; then writes the row. */
  admit(admission: Admission, now: number): Admitted {
    const { files, repeats, recent } = this.#state;
    const { known, fileId, signed, bodyMac, keyMac } = admission;
    const minted = seqOfFileId(fileId);
    if (minted === null) throw new Error("cannot admit a report without a file id");
    const { seq } = minted;

    if (typeof known !== "number" && !this.#state.learn(known)) return { outcome: "stale" };
    if (typeof known === "number" && known !== this.#state.version)
      return { outcome: known < this.#state.version ? "stale" : "unknown_version" };
    this.#state.tick(now);
    if (signed !== null && Math.abs(now - signed.timestampMs) > SIGNATURE_WINDOW_MS)
      return { outcome: "expired" };
    if (Math.abs(now - minted.mintedAt) > MAX_CLOCK_SKEW_MS)
      return { outcome: "unavailable", reason: "clock_skew" };

    const bySignature = signed && recent.bySignature(signed.signature, now);
    if (bySignature !== null) return this.#repeat(bySignature, seq, now);
    if (signed === null && files.get(seq) !== null) return this.#repeat(seq, seq, now);
    const byKey = keyMac === null ? null : repeats.byKey(keyMac, now);
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
    const stored = admission.sealed === null ? this.#locationFor(seq, admission.facts) : null;
    const signedUntil = signed && signed.timestampMs + SIGNATURE_WINDOW_MS;
    const written = files.insert({
      seq,
      state: stored === null ? "queued" : "receiving",
      now,
      signature: signed?.signature ?? null,
      signedUntil,
      bodyMac,
      keyMac,
      facts: earlier === null ? admission.facts : withFacts(admission.facts, sameBodyAs),
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

  /** Queues a reservation whose payload has been stored. Returns false if the reservation is gone: then nothing was accepted. */
  commit(seq: string, now: number): boolean {
    const row = this.#state.files.get(seq);
    if (row === null || row.state === "dropped") return false;
    if (row.state === "receiving") {
      this.#state.files.update(seq, {
        state: "queued",
        dueAt: this.#state.firstDueAt(seq, now),
        updatedAt: now,
        stored: row.stored && { ...row.stored, at: now },
      });
    }
    return true;
  }

  /** Whether a payload that arrives now has a file or a reservation. */
  expects(seq: string): boolean {
    const row = this.#state.files.get(seq);
    return row !== null && row.state !== "dropped";
  }

  /** Counts a signed request that was refused for its content. Nothing is written. */
  charge(snapshot: Snapshot, now: number): Charged {
    if (!this.#state.learn(snapshot)) return { outcome: "stale" };
    this.#state.tick(now);
    this.#state.recent.charge(now);
    return { outcome: "charged", rate: this.#standing(now) };
  }

  /** Counts a read with the gate's API key. Reads have limits of their own, exact across restarts: one row per read. */
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

  /** Whether an equal body reached the same endpoint minutes ago, as from a client that retries after it got no response. */
  #isRetry({ sameBody, keyMac, bodyMac, facts }: Admission, now: number): boolean {
    if (sameBody !== "retry" || keyMac !== null) return false;
    const seq = this.#state.recent.byBody(bodyMac, now, RETRIED_BODY_MS);
    const { kind }: FileFacts = JSON.parse(facts);
    return seq !== null && this.#state.files.get(seq)?.facts.kind === kind;
  }

  #repeat(seq: string, ownSeq: string, now: number): Admitted {
    const { gate, files } = this.#state;
    const row = files.get(seq);
    if (row === null) throw new Error("a recent request refers to a file without a row");
    const rate = this.#standing(now);
    const status = publicStatus(row.state);
    if (status === null) {
      const place = row.stored?.key ?? this.#segmentKey(seq);
      // The Worker repeats the call with the same id after it got no result: the reservation is still its own.
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
   * A repeat that was found by its key or its body. Its signature is recorded as an alias of the file, and so is its key if that
   * is new, so that later repeats are found by either. A repeat that was found by its signature records no key: the key header
   * is not signed, so anyone could add one.
   */
  #repeatOtherwise(
    seq: string,
    { signed, newKeyMac }: { signed: Admission["signed"]; newKeyMac: string | null },
    ownSeq: string,
    now: number,
  ): Admitted {
    const { repeats, recent } = this.#state;
    if (seq === ownSeq) return this.#repeat(seq, ownSeq, now);
    if (signed !== null || newKeyMac !== null) {
      if (repeats.countAliases() >= MAX_ALIASES) repeats.purgeAliases(now);
      if (repeats.countAliases() >= MAX_ALIASES)
        return { outcome: "unavailable", reason: "too_many_repeats" };
    }
    if (newKeyMac !== null) repeats.addAlias(newKeyMac, seq, now + KEY_MEMORY_MS);
    if (signed !== null) {
      const signedUntil = signed.timestampMs + SIGNATURE_WINDOW_MS;
      repeats.addAlias(signed.signature, seq, signedUntil);
      recent.add({ seq, admittedAt: null, signature: signed.signature, signedUntil, bodyMac: null });
    }
    return this.#repeat(seq, ownSeq, now);
  }

  /** Reading the database size costs as much as the rest of the decision, so a positive result is reused for {@link ROOM_HOLDS_MS}. */
  #hasRoom(now: number): boolean {
    if (now < this.#roomUntil && now >= this.#roomUntil - ROOM_HOLDS_MS) return true;
    const room = this.#state.files.size <= MAX_DATABASE_BYTES;
    this.#roomUntil = room ? now + ROOM_HOLDS_MS : 0;
    return room;
  }

  /** The location of a payload that is too large for a row. */
  #locationFor(seq: string, facts: string): ArchiveLocation {
    const { size }: FileFacts = JSON.parse(facts);
    return { key: this.#segmentKey(seq), offset: 0, length: size + SEAL_OVERHEAD_BYTES };
  }

  #segmentKey(seq: string): string {
    return segmentKey(this.#state.gate, this.#state.snapshot?.retentionYears ?? 0, seq);
  }

  get #limits(): RateLimits {
    const { snapshot } = this.#state;
    if (snapshot === null) throw new Error("the gate has no snapshot yet, so its plan is unknown");
    return PLAN_LIMITS[snapshot.plan];
  }

  #standing(now: number): RateStatus {
    return this.#state.recent.standing(this.#limits, now);
  }

  #rebuildReads(now: number): RateWindows {
    const windows = new RateWindows();
    for (const { at, count } of this.#state.readCounter.since(now - COUNTS_FOR_MS)) windows.add(at, count);
    return windows;
  }
}

/** Adds fields to facts in JSON. */
function withFacts(facts: string, more: Partial<FileFacts>): string {
  return JSON.stringify({ ...JSON.parse(facts), ...more });
}
