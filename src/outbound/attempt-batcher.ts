/**
 * Collects the attempts of one turn and records them in a few batches: attempts that end at about the same time, or while a batch
 * is being written, share one. Recording one attempt never delays another.
 */
import { logError } from "../log.ts";
import type { Lane } from "../messages.ts";
import { type Attempt, endedAt } from "./attempt-result.ts";
import { type DeliveryUpdate, recordAttempts } from "./attempt-store.ts";
import { type DisableReason, type Health, healthAfter } from "./auto-disable.ts";
import type { EndpointLease, LeasedEndpoint } from "./endpoint-lease.ts";
import { isSlow } from "./lanes.ts";

/** How long attempts are collected: as long as a turn starts requests. A consumer that dies sends again what it had not recorded. */
const COLLECT_MS = 500;
/** A success alone updates the webhook's row only this often. */
const SUCCESS_RECORDED_MS = 60_000;

export class AttemptBatcher {
  readonly #db: D1Database;
  readonly #lease: EndpointLease;
  /** The health in the row, and the current one. */
  #stored: Health;
  #health: Health;
  #disable: DisableReason | null = null;
  #cutOff = false;
  #pending: DeliveryUpdate[] = [];
  #failed = false;
  #recording: Promise<void> | null = null;
  #ended = false;
  readonly #ending = Promise.withResolvers<void>();

  constructor(db: D1Database, lease: EndpointLease) {
    this.#db = db;
    this.#lease = lease;
    this.#stored = this.#health = healthOf(lease.endpoint);
  }

  /** Whether this turn must start no more requests: the endpoint is off or too slow for its lane, or recording fails. */
  mustStop({ lane }: { lane: Lane }): boolean {
    const tooSlow = lane !== "slow" && isSlow(this.#health, Date.now());
    return this.#failed || this.#cutOff || this.#disable !== null || tooSlow;
  }

  /** A request to a new endpoint that was cut off. It does not count as an attempt, but makes the endpoint slow. */
  addCutOff(attempt: Attempt): void {
    this.#cutOff = true;
    this.#health = { ...this.#health, slowAt: endedAt(attempt) };
  }

  add(update: DeliveryUpdate, attempt: Attempt): void {
    this.#pending.push(update);
    const { health, disable } = healthAfter(this.#health, attempt);
    this.#health = health;
    // A success ends five days of failures that are not yet recorded. A 410 stays final.
    if (attempt.kind === "delivered" && this.#disable === "failing") this.#disable = null;
    this.#disable ??= disable;
    this.#recording ??= this.#recordUntilEmpty();
  }

  /** Resolves, once nothing is being recorded, with the statements that record the rest. Those deliveries stay due until then. */
  async end(): Promise<D1PreparedStatement[]> {
    this.#ended = true;
    this.#ending.resolve();
    await this.#recording;
    return this.#statementsFor(this.#pending);
  }

  /** Never rejects: attempts that could not be recorded stay pending and are tried once more at the end. */
  async #recordUntilEmpty(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        await Promise.race([scheduler.wait(COLLECT_MS), this.#ending.promise]);
        if (this.#ended) return;
        await this.#recordPending();
      }
    } catch (error) {
      this.#failed = true;
      logError("failed to record attempts", { webhook_id: this.#lease.endpoint.id }, error);
    } finally {
      this.#recording = null;
    }
  }

  async #recordPending(): Promise<void> {
    const updates = this.#pending;
    const health = this.#health;
    this.#pending = [];
    try {
      await this.#db.batch(this.#statementsFor(updates));
      if (isWorthRecording(this.#stored, health)) this.#stored = health;
    } catch (error) {
      this.#pending = [...updates, ...this.#pending];
      throw error;
    }
  }

  #statementsFor(updates: readonly DeliveryUpdate[]): D1PreparedStatement[] {
    if (updates.length === 0 && !this.#cutOff) return [];
    return recordAttempts(this.#db, {
      lease: this.#lease,
      updates,
      health: isWorthRecording(this.#stored, this.#health) ? this.#health : null,
      disable: this.#disable,
      now: Date.now(),
    });
  }
}

function healthOf(endpoint: LeasedEndpoint): Health {
  return {
    consecutiveFailures: endpoint.consecutive_failures,
    failingSince: endpoint.failing_since,
    lastSuccessAt: endpoint.last_success_at,
    slowAt: endpoint.slow_at,
    provenAt: endpoint.proven_at,
    lastFailure: endpoint.last_failure,
  };
}

function isWorthRecording(stored: Health, health: Health): boolean {
  return (
    health.consecutiveFailures !== stored.consecutiveFailures ||
    health.failingSince !== stored.failingSince ||
    health.slowAt !== stored.slowAt ||
    health.provenAt !== stored.provenAt ||
    (health.lastSuccessAt ?? 0) - (stored.lastSuccessAt ?? 0) >= SUCCESS_RECORDED_MS
  );
}
