/**
 * Simulates forwarding to a files-creator that goes down for a while, with the gateway's own decisions: when a file is retried,
 * postponed or woken again, and how many files the circuit breaker grants. The rest is simplified: calls take a fixed time, each
 * gate checks its files once per second, and the queue delivers a batch as soon as a consumer is free.
 */
import { type BreakerState, CLOSED, grant, record } from "../../../src/forwarding/circuit-breaker-policy.ts";
import { postponeDelayMs, retryDelayMs, wakeAgainDelayMs } from "../../../src/gate/backoff.ts";
import { Wheel } from "./wheel.ts";

export interface Scenario {
  reportsPerSecond: number;
  /** The outage lasts from `downFrom` to `downUntil`, s. */
  downFrom: number;
  downUntil: number;
  /** The simulation ends when everything has drained, or here, s. */
  until: number;
  gates: number;
  /** The consumer's `max_concurrency`. */
  consumers: number;
  /** The response time of the files-creator, up or down, ms. */
  answerMs: number;
  /** The duration of a call to an object, ms. */
  callMs: number;
  random: () => number;
}

/** What happened in one second. */
export interface Second {
  waiting: number;
  posted: number;
  answered: number;
  /** Files that were claimed and released untried. */
  postponed: number;
  messages: number;
  inQueue: number;
}

const MESSAGES_PER_BATCH = 10;
const FILES_PER_MESSAGE = 10;
const IN_FLIGHT = 6;
const POSTPONE_MS = 1_000;
const FIRST_LOOK_S = 60;
const STEP_MS = 50;

export function simulate(scenario: Scenario): Second[] {
  return new Outage(scenario).run();
}

class Outage {
  readonly #scenario: Scenario;
  readonly #wheel: Wheel;
  readonly #admittedAt: Float64Array;
  readonly #attempts: Uint8Array;
  readonly #wakeUps: Uint8Array;
  readonly #done: Uint8Array;
  readonly #leasedUntil: Float64Array;
  readonly #freeAt: number[];
  readonly #seconds: Second[] = [];
  #messages: number[][] = [];
  #firstMessage = 0;
  #breaker: BreakerState = CLOSED;
  #ends: { at: number; answered: number; unanswered: number }[] = [];
  #admitted = 0;
  #settled = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const files = scenario.reportsPerSecond * scenario.until;
    this.#wheel = new Wheel(files, scenario.until + 2 * 3_600);
    this.#admittedAt = new Float64Array(files);
    this.#attempts = new Uint8Array(files);
    this.#wakeUps = new Uint8Array(files);
    this.#done = new Uint8Array(files);
    this.#leasedUntil = new Float64Array(files);
    this.#freeAt = new Array(scenario.consumers).fill(0);
  }

  run(): Second[] {
    const { until, downUntil } = this.#scenario;
    for (let second = 0; second < until; second++) {
      this.#second(second);
      this.#admit(second * 1_000);
      this.#wakeDue(second);
      for (let at = second * 1_000; at < (second + 1) * 1_000; at += STEP_MS) this.#consume(at);
      const now = this.#second(second);
      now.waiting = this.#admitted - this.#settled;
      now.inQueue = this.#messages.length - this.#firstMessage;
      if (second > downUntil + 60 && now.waiting < 2 * this.#scenario.reportsPerSecond) break;
    }
    return this.#seconds;
  }

  #second(second: number): Second {
    for (let i = this.#seconds.length; i <= second; i++)
      this.#seconds.push({ waiting: 0, posted: 0, answered: 0, postponed: 0, messages: 0, inQueue: 0 });
    return this.#seconds[second] as Second;
  }

  /** Each report has its own message, because a connection's reports are seconds apart. */
  #admit(now: number): void {
    for (let i = 0; i < this.#scenario.reportsPerSecond; i++) {
      const file = this.#admitted++;
      this.#admittedAt[file] = now;
      this.#wheel.put(file, now / 1_000 + FIRST_LOOK_S);
      this.#send([file], now / 1_000);
    }
  }

  /** The gates' alarms. */
  #wakeDue(second: number): void {
    const byGate = new Map<number, number[]>();
    for (const file of this.#wheel.take(second)) {
      if (this.#done[file]) continue;
      const wakeUps = this.#wakeUps[file] ?? 0;
      this.#wheel.put(file, second + wakeAgainDelayMs(wakeUps, this.#scenario.random()) / 1_000);
      if ((this.#leasedUntil[file] ?? 0) > second * 1_000) continue;
      this.#wakeUps[file] = Math.min(255, wakeUps + 1);
      const gate = file % this.#scenario.gates;
      const message = byGate.get(gate) ?? [];
      message.push(file);
      if (message.length === FILES_PER_MESSAGE) {
        this.#send(message, second);
        byGate.delete(gate);
      } else byGate.set(gate, message);
    }
    for (const message of byGate.values()) this.#send(message, second);
  }

  #send(files: number[], second: number): void {
    this.#messages.push(files);
    this.#second(Math.floor(second)).messages++;
  }

  #consume(now: number): void {
    this.#ends = this.#ends.filter(({ at, answered, unanswered }) => {
      if (at > now) return true;
      this.#breaker = record(this.#breaker, answered, unanswered, at);
      return false;
    });
    for (const [consumer, freeAt] of this.#freeAt.entries()) {
      if (freeAt > now || this.#firstMessage === this.#messages.length) continue;
      const batch = this.#messages.slice(this.#firstMessage, this.#firstMessage + MESSAGES_PER_BATCH);
      this.#firstMessage += batch.length;
      this.#freeAt[consumer] = this.#forward(batch, now);
    }
    if (this.#firstMessage > 100_000) {
      this.#messages = this.#messages.slice(this.#firstMessage);
      this.#firstMessage = 0;
    }
  }

  /** One batch from claim to settlement. Returns when it ends. */
  #forward(batch: number[][], now: number): number {
    const { callMs, answerMs, random, downFrom, downUntil } = this.#scenario;
    let at = now + Math.ceil(batch.length / IN_FLIGHT) * callMs;
    const claimed = batch.flat().filter((file) => !this.#done[file] && (this.#leasedUntil[file] ?? 0) <= now);
    if (claimed.length === 0) return at;
    for (const file of claimed) this.#leasedUntil[file] = now + 600_000;
    const { granted, retryAfterMs, state } = grant(this.#breaker, claimed.length, at);
    this.#breaker = state;
    at += callMs;
    let answered = 0;
    for (const [i, file] of claimed.slice(0, granted).entries()) {
      const lane = Math.floor(i / IN_FLIGHT);
      const postedAt = at + lane * (answerMs + callMs);
      this.#second(Math.floor(postedAt / 1_000)).posted++;
      const settledAt = postedAt + answerMs + callMs;
      const attempts = (this.#attempts[file] ?? 0) + 1;
      this.#attempts[file] = Math.min(255, attempts);
      this.#leasedUntil[file] = 0;
      if (postedAt >= downFrom * 1_000 && postedAt < downUntil * 1_000) {
        this.#wakeUps[file] = 0;
        this.#wheel.put(file, (settledAt + retryDelayMs(attempts, null, random())) / 1_000);
      } else {
        answered++;
        this.#done[file] = 1;
        this.#settled++;
        this.#second(Math.floor(settledAt / 1_000)).answered++;
      }
    }
    at += Math.ceil(granted / IN_FLIGHT) * (answerMs + callMs);
    const untried = claimed.slice(granted);
    for (const file of untried) {
      const waitedMs = at - (this.#admittedAt[file] ?? 0);
      const delayMs = postponeDelayMs(Math.max(retryAfterMs, POSTPONE_MS), waitedMs, random());
      this.#leasedUntil[file] = 0;
      this.#wakeUps[file] = Math.max(0, (this.#wakeUps[file] ?? 0) - 1);
      this.#wheel.put(file, (at + delayMs) / 1_000);
    }
    this.#second(Math.floor(at / 1_000)).postponed += untried.length;
    const gates = new Set(untried.map((file) => file % this.#scenario.gates));
    at += Math.ceil(gates.size / IN_FLIGHT) * callMs;
    if (granted > 0) this.#ends.push({ at: at + callMs, answered, unanswered: granted - answered });
    return at + callMs;
  }
}
