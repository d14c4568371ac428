/**
 * One turn at one endpoint: what is due is sent, a few at a time and for a moment only, so that its settings are as fresh as
 * that moment and other endpoints get their turn.
 */

import { inParallel, type Semaphore } from "../concurrency.ts";
import { type DataKey, RingKeyMissing, unwrapDataKey } from "../crypto/vault.ts";
import { ownerKeyContext } from "../db/owner-keys.ts";
import { type Bindings, ConfigurationError, type Settings } from "../env.ts";
import { logError, logLine } from "../log.ts";
import type { Endpoint, Lane } from "../messages.ts";
import { EXCHANGE_TIMEOUT_MS } from "./attempt.ts";
import { Recorder } from "./attempt-batcher.ts";
import { judge } from "./attempt-result.ts";
import type { Recorded } from "./attempt-store.ts";
import { laneOf, SLOW_ANSWER_MS } from "./auto-disable.ts";
import { deliveryId } from "./delivery-id.ts";
import {
  closeOpen,
  closeUnsent,
  type DueDelivery,
  type Held,
  HOLD_MS,
  holdBack,
  letGo,
  reservePace,
  settlePace,
  takeEndpoint,
} from "./endpoint-lease.ts";
import { maySend } from "./event-types.ts";
import { type KeptAnswer, NOTHING_KEPT, sealAnswer } from "./kept-answer.ts";
import { allowance, nextStartAt, withRequests } from "./pace.ts";
import { type OpenEndpoint, openEndpoint, type Sent, sendDelivery } from "./send.ts";
import type { UrlPolicy } from "./url-policy.ts";

/**
 * How long a turn starts requests: long enough that taking and recording cost little beside them. A change to a webhook is
 * respected by everything that is sent this much later.
 */
const TURN_MS = 500;
/** Nothing starts later than this after the endpoint was taken, whatever hung meanwhile: its answer comes within the lease. */
const LATEST_START_MS = HOLD_MS / 2;

/** How long deliveries wait that need a key or a setting which the gateway lacks. */
const HELD_BACK_MS = 600_000;

export interface Turn {
  env: Bindings;
  settings: Settings;
  /** The invocation's requests in flight. */
  slots: Semaphore;
  /** Of the queue that the invocation works for. */
  lane: Lane;
}

/** A turn at an endpoint that has been taken. */
interface HeldTurn extends Turn {
  /** When the last request may start. */
  startBy: number;
}

/** Answers how the endpoint is to be woken again; null when nothing is due. Rejects when D1 does not answer. */
export async function workOn(webhookId: string, turn: Turn): Promise<Endpoint | null> {
  const { env, lane, slots } = turn;
  // Taken only when a request of it can start: whoever has been taken goes first.
  const release = await slots.acquire(1);
  try {
    const startBy = Date.now() + LATEST_START_MS;
    const taken = await takeEndpoint(env.DB, webhookId, { lane, now: Date.now() });
    if (taken.outcome === "nothing") return null;
    if (taken.outcome === "elsewhere") return { id: webhookId, lane: taken.lane };
    const { held } = taken;
    const { endpoint } = held;
    let turned: Turned = { rest: [], pacedUntil: 0 };
    if (endpoint.deleted_at !== null) await closeOpen(env.DB, webhookId, "webhook_deleted", Date.now());
    else if (endpoint.status === "disabled")
      await closeOpen(env.DB, webhookId, "webhook_disabled", Date.now());
    else turned = await sendAtPace(held, { ...turn, startBy }, release);
    const { rest, pacedUntil } = turned;
    const left = await letGo(env.DB, held, rest, Date.now());
    if (left.more) return { id: webhookId, lane: left.lane };
    const delayMs = pacedUntil - Date.now();
    return delayMs > 0 ? { id: webhookId, lane: left.lane, delayMs } : null;
  } finally {
    release();
  }
}

interface Turned {
  /** What is still to be recorded. */
  rest: D1PreparedStatement[];
  /** Until when the endpoint's pace is used up; 0 where it is not. */
  pacedUntil: number;
}

/**
 * Sends what is due, at most as much as the endpoint's pace allows. The requests are counted before they start: if this invocation
 * dies, the next one counts them all the same. `release` gives back the place that was kept for the first request.
 */
async function sendAtPace(held: Held, turn: HeldTurn, release: () => void): Promise<Turned> {
  const { DB: db } = turn.env;
  const { max_per_minute: perMinute, pace } = held.endpoint;
  if (perMinute === null) return { rest: (await sendAll(held, held.due, turn, release)).rest, pacedUntil: 0 };
  const now = Date.now();
  const due = held.due.slice(0, allowance(pace, perMinute, now));
  if (due.length > 0 && !(await reservePace(db, held, withRequests(pace, due.length, now))))
    return { rest: [], pacedUntil: 0 };
  const { rest, started, startedUntil } = await sendAll(held, due, turn, release);
  const settled = withRequests(pace, started, startedUntil);
  const nextAt = nextStartAt(settled, perMinute, Date.now());
  const pacedUntil = nextAt > Date.now() ? nextAt : 0;
  return { rest: [...rest, settlePace(db, held, settled, pacedUntil)], pacedUntil };
}

async function sendAll(
  held: Held,
  due: readonly DueDelivery[],
  turn: HeldTurn,
  release: () => void,
): Promise<{ rest: D1PreparedStatement[]; started: number; startedUntil: number }> {
  const { env, settings, slots } = turn;
  const { endpoint } = held;
  const { wanted = [], unwanted = [] } = Object.groupBy(due, ({ type }) =>
    maySend(endpoint.events, type) ? "wanted" : "unwanted",
  );
  const unwantedSeqs = unwanted.map(({ event_seq }) => event_seq);
  await closeUnsent(env.DB, endpoint.id, held.expired, "event_expired", Date.now());
  await closeUnsent(env.DB, endpoint.id, unwantedSeqs, "not_subscribed", Date.now());
  let opened: Opened | null;
  try {
    opened = await open(held, settings);
  } catch (error) {
    if (!(error instanceof RingKeyMissing || error instanceof ConfigurationError)) throw error;
    const ringKey = error instanceof RingKeyMissing ? error.ringKey : undefined;
    const fields = { webhook_id: endpoint.id, ring_key: ringKey };
    logError("a webhook waits for the gateway's settings", fields, error);
    const seqs = wanted.map(({ event_seq }) => event_seq);
    await holdBack(env.DB, endpoint.id, seqs, Date.now() + HELD_BACK_MS, Date.now());
    return { rest: [], started: 0, startedUntil: Date.now() };
  }
  const recorder = new Recorder(env.DB, held);
  const neverAnswered = endpoint.proven_at === null && endpoint.last_success_at === null;
  const timeoutMs =
    laneOf({ slowAt: endpoint.slow_at, provenAt: endpoint.proven_at }, Date.now()) === "new"
      ? SLOW_ANSWER_MS
      : EXCHANGE_TIMEOUT_MS;
  const startUntil = Math.min(Date.now() + TURN_MS, turn.startBy);
  let started = 0;
  // A new endpoint may be a dead address: it gets one request at a time until it has answered, in time or with a success.
  const sending = inParallel(wanted, neverAnswered ? 1 : endpoint.max_in_flight, async (due) => {
    const release = await slots.acquire(1, { priority: true });
    try {
      if (Date.now() > startUntil || recorder.stops(turn)) return;
      started++;
      const sent = opened === null ? unsent() : await sendOrFail(opened, due, timeoutMs);
      if (timeoutMs < EXCHANGE_TIMEOUT_MS && sent.outcome.kind === "timeout") {
        noteCut(endpoint.id, due, sent);
        return recorder.cut(sent);
      }
      const kept = opened === null ? NOTHING_KEPT : await keep(opened, due, sent);
      const attempt = judge(due, sent, kept);
      note(endpoint.id, due, attempt);
      recorder.add(attempt, sent);
    } finally {
      release();
    }
  });
  release();
  await sending;
  return { rest: await recorder.end(), started, startedUntil: startUntil };
}

interface Opened {
  webhook: OpenEndpoint;
  /** The owner's. */
  key: DataKey;
  urlPolicy: UrlPolicy;
}

/** Null where the owner's key or the webhook's secrets do not open, and never will. Throws where the settings are at fault. */
async function open({ endpoint, wrappedKey }: Held, settings: Settings): Promise<Opened | null> {
  const { urlPolicy, keyRing } = settings;
  const owner = { type: endpoint.owner_type, id: endpoint.owner_id };
  try {
    if (wrappedKey === null) throw new Error("the owner's data key has been erased");
    const key = await unwrapDataKey(keyRing, wrappedKey, ownerKeyContext(owner));
    return { webhook: await openEndpoint(endpoint, key, Date.now()), key, urlPolicy };
  } catch (error) {
    if (error instanceof RingKeyMissing) throw error;
    logError("a webhook could not be opened", { webhook_id: endpoint.id }, error);
    return null;
  }
}

/** A delivery that cannot be made takes its course like one that failed: it must neither hold up others nor vanish. */
async function sendOrFail(
  { webhook, key, urlPolicy }: Opened,
  due: DueDelivery,
  timeoutMs: number,
): Promise<Sent> {
  try {
    return await sendDelivery(webhook, due, key, urlPolicy, timeoutMs);
  } catch (error) {
    logError("a delivery could not be made", { webhook_id: webhook.endpoint.id, event_id: due.id }, error);
    return unsent();
  }
}

function unsent(): Sent {
  const outcome = { kind: "internal", status: null, ms: 0, answer: null, retryAfterMs: null } as const;
  return { startedAt: Date.now(), outcome };
}

function keep({ webhook, key }: Opened, due: DueDelivery, { outcome }: Sent): Promise<KeptAnswer> {
  const of = { webhookId: webhook.endpoint.id, eventSeq: due.event_seq, attempt: due.attempts + 1 };
  return sealAnswer(key, of, outcome);
}

/** The try of a new endpoint that took too long is no attempt: it is made again, with more time. */
function noteCut(webhookId: string, due: DueDelivery, { outcome: { ms } }: Sent): void {
  logLine("cut off a new endpoint", {
    delivery_id: deliveryId({ webhookId, eventSeq: due.event_seq }),
    event_type: due.type,
    ms,
  });
}

function note(webhookId: string, due: DueDelivery, { status, attempt }: Recorded): void {
  logLine("delivered", {
    delivery_id: deliveryId({ webhookId, eventSeq: due.event_seq }),
    event_type: due.type,
    outcome: status,
    kind: attempt.kind,
    status: attempt.status,
    attempt: attempt.number,
    ms: attempt.ms,
  });
}
