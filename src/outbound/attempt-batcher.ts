/**
 * Gathers the attempts of one turn and records them in a few batches: what has ended within a moment, or while a batch is on its
 * way, becomes one. No attempt is held up by the recording of another.
 */
import { logError } from "../log.ts";
import type { Lane } from "../messages.ts";
import { type Recorded, recording } from "./attempt-store.ts";
import { type DisableReason, type Health, healthAfter, isSlow } from "./auto-disable.ts";
import type { Held, HeldEndpoint } from "./endpoint-lease.ts";
import type { Sent } from "./send.ts";

/** How long attempts gather, as long as a turn starts requests: what a consumer that dies has not recorded is sent again. */
const GATHER_MS = 500;
/** A success is worth a row of its own only this often. */
const SUCCESS_NOTED_MS = 60_000;

export class Recorder {
  readonly #db: D1Database;
  readonly #held: Held;
  /** As the row has it, and as it is. */
  #stored: Health;
  #health: Health;
  #disable: DisableReason | null = null;
  #cut = false;
  #pending: Recorded[] = [];
  #failed = false;
  #recording: Promise<void> | null = null;
  #ended = false;
  readonly #ending = Promise.withResolvers<void>();

  constructor(db: D1Database, held: Held) {
    this.#db = db;
    this.#held = held;
    this.#stored = this.#health = healthOf(held.endpoint);
  }

  /** Whether nothing more is to be sent in this turn: the endpoint is off, or keeps others waiting, or nothing is recorded. */
  stops({ lane }: { lane: Lane }): boolean {
    const keepsOthersWaiting = lane !== "slow" && isSlow(this.#health, Date.now());
    return this.#failed || this.#cut || this.#disable !== null || keepsOthersWaiting;
  }

  /** A try that was cut off: no attempt, but from now on the endpoint is slow. */
  cut({ startedAt, outcome }: Sent): void {
    this.#cut = true;
    this.#health = { ...this.#health, slowAt: startedAt + outcome.ms };
  }

  add(attempt: Recorded, { startedAt, outcome }: Sent): void {
    this.#pending.push(attempt);
    const { health, disable } = healthAfter(this.#health, outcome, startedAt + outcome.ms);
    this.#health = health;
    // A success clears what is not yet recorded of five days of failures. Gone is gone.
    if (outcome.kind === "delivered" && this.#disable === "failing") this.#disable = null;
    this.#disable ??= disable;
    this.#recording ??= this.#drain();
  }

  /** Resolves, when nothing is being recorded any more, with the statements that record the rest: it is due until then. */
  async end(): Promise<D1PreparedStatement[]> {
    this.#ended = true;
    this.#ending.resolve();
    await this.#recording;
    return this.#recordingOf(this.#pending);
  }

  /** Never rejects: what could not be recorded stays pending, for one more try at the end. */
  async #drain(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        await Promise.race([scheduler.wait(GATHER_MS), this.#ending.promise]);
        if (this.#ended) return;
        await this.#recordPending();
      }
    } catch (error) {
      this.#failed = true;
      logError("attempts were not recorded", { webhook_id: this.#held.endpoint.id }, error);
    } finally {
      this.#recording = null;
    }
  }

  async #recordPending(): Promise<void> {
    const attempts = this.#pending;
    const health = this.#health;
    this.#pending = [];
    try {
      await this.#db.batch(this.#recordingOf(attempts));
      if (isNews(this.#stored, health)) this.#stored = health;
    } catch (error) {
      this.#pending = [...attempts, ...this.#pending];
      throw error;
    }
  }

  #recordingOf(attempts: readonly Recorded[]): D1PreparedStatement[] {
    if (attempts.length === 0 && !this.#cut) return [];
    return recording(this.#db, {
      held: this.#held,
      attempts,
      health: isNews(this.#stored, this.#health) ? this.#health : null,
      disable: this.#disable,
      now: Date.now(),
    });
  }
}

function healthOf(endpoint: HeldEndpoint): Health {
  return {
    consecutiveFailures: endpoint.consecutive_failures,
    failingSince: endpoint.failing_since,
    lastSuccessAt: endpoint.last_success_at,
    slowAt: endpoint.slow_at,
    provenAt: endpoint.proven_at,
    lastFailure: endpoint.last_failure,
  };
}

/** Whether `health` is worth a row. */
function isNews(stored: Health, health: Health): boolean {
  return (
    health.consecutiveFailures !== stored.consecutiveFailures ||
    health.failingSince !== stored.failingSince ||
    health.slowAt !== stored.slowAt ||
    health.provenAt !== stored.provenAt ||
    (health.lastSuccessAt ?? 0) - (stored.lastSuccessAt ?? 0) >= SUCCESS_NOTED_MS
  );
}
