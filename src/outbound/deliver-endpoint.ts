/**
 * One turn at one endpoint: sends its due deliveries, a few at a time and for a short time only. So a change of the webhook's
 * settings takes effect soon, and other endpoints get their turn.
 */

import type { Bindings } from "../bindings.ts";
import { inParallel, type Semaphore } from "../concurrency.ts";
import { type KeyRing, RingKeyMissing, unwrapDataKey } from "../crypto/vault.ts";
import { ownerKeyContext } from "../db/owner-keys.ts";
import { ConfigurationError, type Settings } from "../env.ts";
import { logError, logLine } from "../log.ts";
import type { Endpoint, Lane } from "../messages.ts";
import type { UrlPolicy } from "../model.ts";
import { raiseRingKeyMissing } from "../raised-conditions.ts";
import { EXCHANGE_TIMEOUT_MS } from "./attempt.ts";
import { AttemptBatcher } from "./attempt-batcher.ts";
import { type Attempt, unanswered } from "./attempt-result.ts";
import { type DeliveryUpdate, deliveryUpdate } from "./attempt-store.ts";
import { deliveryId } from "./delivery-id.ts";
import {
  acquireLease,
  type DueDelivery,
  ENDPOINT_LEASE_MS,
  type EndpointLease,
  releaseLease,
  reservePace,
  settlePace,
} from "./endpoint-lease.ts";
import { maySend } from "./event-types.ts";
import { laneOf, SLOW_ANSWER_MS } from "./lanes.ts";
import { allowance, nextStartAt, withRequests } from "./pace.ts";
import { sealAttempt } from "./sealed-attempt.ts";
import { sendDelivery, type UnsealedEndpoint, unsealEndpoint } from "./send-delivery.ts";
import { postponeUnsent, settleAllUnsent, settleUnsent } from "./unsent-deliveries.ts";

/**
 * How long a turn starts requests: long enough that the lease and the recording cost little in comparison. A change of a webhook
 * applies to every request that starts this much later.
 */
const TURN_MS = 500;
/** No request starts later than this after the lease was acquired, whatever hung meanwhile, so that each answer comes within the lease. */
const LATEST_START_MS = ENDPOINT_LEASE_MS / 2;

/** How long deliveries are postponed that need a key or a setting which the gateway lacks. */
const POSTPONED_MS = 600_000;

export interface Turn {
  env: Bindings;
  settings: Settings;
  /** The invocation's requests in flight. */
  slots: Semaphore;
  /** The lane of the invocation's queue. */
  lane: Lane;
}

/** A turn at a leased endpoint. */
interface LeasedTurn extends Turn {
  /** When the last request may start. */
  startBy: number;
}

/** Returns how to wake the endpoint again; null if nothing is due. Rejects if D1 does not respond. */
export async function deliverEndpoint(webhookId: string, turn: Turn): Promise<Endpoint | null> {
  const { env, lane, slots } = turn;
  // Leased only once a request to it can start, so that a leased endpoint does not wait for others.
  const releaseSlot = await slots.acquire(1);
  try {
    const startBy = Date.now() + LATEST_START_MS;
    const acquired = await acquireLease(env.DB, webhookId, { lane, now: Date.now() });
    if (acquired.outcome === "nothing") return null;
    if (acquired.outcome === "other_lane") return { id: webhookId, lane: acquired.lane };
    const { lease } = acquired;
    const { endpoint } = lease;
    let paced: Paced = { unrecorded: [], pacedUntil: 0 };
    if (endpoint.deleted_at !== null) await settleAllUnsent(env.DB, webhookId, "webhook_deleted", Date.now());
    else if (endpoint.status === "disabled")
      await settleAllUnsent(env.DB, webhookId, "webhook_disabled", Date.now());
    else paced = await sendAtPace(lease, { ...turn, startBy }, releaseSlot);
    const left = await releaseLease(env.DB, lease, paced.unrecorded, Date.now());
    if (left.more) return { id: webhookId, lane: left.lane };
    const delayMs = paced.pacedUntil - Date.now();
    return delayMs > 0 ? { id: webhookId, lane: left.lane, delayMs } : null;
  } finally {
    releaseSlot();
  }
}

interface Paced {
  /** Statements that record the rest of the turn. */
  unrecorded: D1PreparedStatement[];
  /** Until when the endpoint's pace is used up; 0 if it is not. */
  pacedUntil: number;
}

/**
 * Sends due deliveries, at most as many as the endpoint's pace allows. The requests are counted before they start: if this
 * invocation dies, the next one still counts them. `releaseSlot` gives back the slot that was reserved for the first request.
 */
async function sendAtPace(lease: EndpointLease, turn: LeasedTurn, releaseSlot: () => void): Promise<Paced> {
  const { DB: db } = turn.env;
  const { max_per_minute: perMinute, pace } = lease.endpoint;
  if (perMinute === null) {
    const { unrecorded } = await sendAll(lease, lease.due, turn, releaseSlot);
    return { unrecorded, pacedUntil: 0 };
  }
  const now = Date.now();
  const due = lease.due.slice(0, allowance(pace, perMinute, now));
  if (due.length > 0 && !(await reservePace(db, lease, withRequests(pace, due.length, now))))
    return { unrecorded: [], pacedUntil: 0 };
  const { unrecorded, started, startedUntil } = await sendAll(lease, due, turn, releaseSlot);
  const settled = withRequests(pace, started, startedUntil);
  const nextAt = nextStartAt(settled, perMinute, Date.now());
  const pacedUntil = nextAt > Date.now() ? nextAt : 0;
  return { unrecorded: [...unrecorded, settlePace(db, lease, settled, pacedUntil)], pacedUntil };
}

async function sendAll(
  lease: EndpointLease,
  due: readonly DueDelivery[],
  turn: LeasedTurn,
  releaseSlot: () => void,
): Promise<{ unrecorded: D1PreparedStatement[]; started: number; startedUntil: number }> {
  const { env, settings, slots } = turn;
  const { endpoint } = lease;
  const { wanted = [], unwanted = [] } = Object.groupBy(due, (event) =>
    maySend(endpoint.events, event) ? "wanted" : "unwanted",
  );
  const unwantedSeqs = unwanted.map(({ event_seq }) => event_seq);
  await settleUnsent(env.DB, endpoint.id, lease.expired, "event_expired", Date.now());
  await settleUnsent(env.DB, endpoint.id, unwantedSeqs, "not_subscribed", Date.now());
  let urlPolicy: UrlPolicy;
  let unsealed: UnsealedEndpoint | null;
  try {
    urlPolicy = settings.urlPolicy;
    unsealed = await unsealLeased(lease, settings.keyRing);
  } catch (error) {
    if (!(error instanceof RingKeyMissing || error instanceof ConfigurationError)) throw error;
    const ringKey = error instanceof RingKeyMissing ? error.ringKey : undefined;
    const fields = { webhook_id: endpoint.id, ring_key: ringKey };
    logError("postponed a webhook's deliveries: a setting of the gateway is missing", fields, error);
    if (ringKey !== undefined) await raiseRingKeyMissing(env, ringKey);
    const seqs = wanted.map(({ event_seq }) => event_seq);
    await postponeUnsent(env.DB, endpoint.id, seqs, Date.now() + POSTPONED_MS, Date.now());
    return { unrecorded: [], started: 0, startedUntil: Date.now() };
  }
  const batcher = new AttemptBatcher(env.DB, lease);
  const neverAnswered = endpoint.proven_at === null && endpoint.last_success_at === null;
  const timeoutMs =
    laneOf({ slowAt: endpoint.slow_at, provenAt: endpoint.proven_at }, Date.now()) === "new"
      ? SLOW_ANSWER_MS
      : EXCHANGE_TIMEOUT_MS;
  const startUntil = Math.min(Date.now() + TURN_MS, turn.startBy);
  let started = 0;
  // A new endpoint may be dead: it gets one request at a time until it has answered in time or succeeded.
  const sending = inParallel(wanted, neverAnswered ? 1 : endpoint.max_in_flight, async (due) => {
    const releaseOwnSlot = await slots.acquire(1, { priority: true });
    try {
      if (Date.now() > startUntil || batcher.mustStop(turn)) return;
      started++;
      const attempt = unsealed === null ? unsent() : await sendOrFail(unsealed, due, urlPolicy, timeoutMs);
      const key = { webhookId: endpoint.id, eventSeq: due.event_seq };
      // A new endpoint's request that took too long does not count: it is made again with more time.
      if (timeoutMs < EXCHANGE_TIMEOUT_MS && attempt.kind === "timeout") {
        const fields = { delivery_id: deliveryId(key), event_type: due.type, ms: attempt.ms };
        logLine("cut off a new endpoint", fields);
        return batcher.addCutOff(attempt);
      }
      const stored = await sealAttempt(unsealed?.key ?? null, key, due.attempts + 1, attempt);
      const update = deliveryUpdate(due, attempt, stored);
      logUpdate(endpoint.id, due, update);
      batcher.add(update, attempt);
    } finally {
      releaseOwnSlot();
    }
  });
  releaseSlot();
  await sending;
  return { unrecorded: await batcher.end(), started, startedUntil: startUntil };
}

/** Null if the owner's key or the webhook's secrets cannot be unsealed, now or later. Throws if the gateway's settings are at fault. */
async function unsealLeased(
  { endpoint, wrappedKey }: EndpointLease,
  ring: KeyRing,
): Promise<UnsealedEndpoint | null> {
  const owner = { type: endpoint.owner_type, id: endpoint.owner_id };
  try {
    if (wrappedKey === null) throw new Error("the owner's data key has been erased");
    const key = await unwrapDataKey(ring, wrappedKey, ownerKeyContext(owner));
    return await unsealEndpoint(endpoint, key, Date.now());
  } catch (error) {
    if (error instanceof RingKeyMissing) throw error;
    logError("failed to unseal a webhook's settings", { webhook_id: endpoint.id }, error);
    return null;
  }
}

/** A delivery that cannot be made counts as a failed attempt: it must neither block others nor vanish. */
async function sendOrFail(
  unsealed: UnsealedEndpoint,
  due: DueDelivery,
  urlPolicy: UrlPolicy,
  timeoutMs: number,
): Promise<Attempt> {
  try {
    return await sendDelivery(unsealed, due, urlPolicy, timeoutMs);
  } catch (error) {
    logError("failed to make a delivery", { webhook_id: unsealed.endpoint.id, event_id: due.id }, error);
    return unsent();
  }
}

function unsent(): Attempt {
  const now = Date.now();
  return unanswered("internal", now, now);
}

function logUpdate(webhookId: string, due: DueDelivery, { status, attempt }: DeliveryUpdate): void {
  logLine("attempted a delivery", {
    delivery_id: deliveryId({ webhookId, eventSeq: due.event_seq }),
    event_id: due.id,
    event_type: due.type,
    outcome: status,
    kind: attempt.kind,
    status: attempt.status,
    attempt: attempt.number,
    ms: attempt.ms,
  });
}
