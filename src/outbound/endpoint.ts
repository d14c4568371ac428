/**
 * One turn at one endpoint: what is due is sent, a few at a time and for a moment only, so that its settings are as fresh as
 * that moment and other endpoints get their turn.
 */
import { type DataKey, sealText, unwrapDataKey } from "../crypto/vault.ts";
import { ownerKeyContext } from "../db/owner-keys.ts";
import type { Bindings, Settings } from "../env.ts";
import { inParallel, type Weights } from "../forwarding/parallel.ts";
import { logError, logLine } from "../log.ts";
import { maySend } from "./catalog.ts";
import { answerContext } from "./contexts.ts";
import { deliveryId } from "./delivery-id.ts";
import { closeOpen, closeUnsent, type DueDelivery, type Held, letGo, takeEndpoint } from "./hold.ts";
import { judge } from "./judgement.ts";
import type { Recorded } from "./record.ts";
import { Recorder } from "./recorder.ts";
import { type OpenEndpoint, openEndpoint, type Sent, sendDelivery } from "./send.ts";

/**
 * How long a turn starts requests: long enough that taking and recording cost little beside them. A change to a webhook is
 * respected by everything that is sent this much later.
 */
const TURN_MS = 500;

export interface Turn {
  env: Bindings;
  settings: Settings;
  /** The invocation's requests in flight. */
  slots: Weights;
  /** Whether endpoints that answer too late are welcome. */
  hasTime: boolean;
}

/** Answers whether more is due, and for which queue; null when nothing is. Rejects when D1 does not answer. */
export async function workOn(webhookId: string, turn: Turn): Promise<{ slow: boolean } | null> {
  const { env, hasTime, slots } = turn;
  // Taken only when a request of it can start: whoever has been taken goes first.
  const release = await slots.take(1);
  try {
    const taken = await takeEndpoint(env.DB, webhookId, { hasTime, now: Date.now() });
    if (taken.outcome === "nothing") return null;
    if (taken.outcome === "slow") return { slow: true };
    const { held } = taken;
    const { endpoint } = held;
    let rest: D1PreparedStatement[] = [];
    if (endpoint.deleted_at !== null) await closeOpen(env.DB, webhookId, "webhook_deleted", Date.now());
    else if (endpoint.status !== "active") await closeOpen(env.DB, webhookId, "webhook_disabled", Date.now());
    else rest = await sendAll(held, turn, release);
    const left = await letGo(env.DB, held, rest, Date.now());
    return left.more ? { slow: left.slow } : null;
  } finally {
    release();
  }
}

/** `release` gives back the place that was kept for the first request. Answers with what is still to be recorded. */
async function sendAll(held: Held, turn: Turn, release: () => void): Promise<D1PreparedStatement[]> {
  const { env, settings, slots } = turn;
  const { endpoint } = held;
  const { wanted = [], unwanted = [] } = Object.groupBy(held.due, ({ type }) =>
    maySend(endpoint.events, type) ? "wanted" : "unwanted",
  );
  const unwantedSeqs = unwanted.map(({ event_seq }) => event_seq);
  await closeUnsent(env.DB, endpoint.id, held.expired, "event_expired", Date.now());
  await closeUnsent(env.DB, endpoint.id, unwantedSeqs, "not_subscribed", Date.now());
  const opened = await open(held, settings);
  const recorder = new Recorder(env.DB, held);
  const startUntil = Date.now() + TURN_MS;
  const sending = inParallel(wanted, endpoint.max_in_flight, async (due) => {
    const release = await slots.take(1, { ahead: true });
    try {
      if (Date.now() > startUntil || recorder.stops(turn)) return;
      const sent = opened === null ? unsent() : await sendOrFail(opened, due, settings);
      const answer = opened && (await sealAnswer(sent, due, opened));
      const attempt = judge(due, sent, answer);
      note(endpoint.id, due, attempt);
      recorder.add(attempt, sent);
    } finally {
      release();
    }
  });
  release();
  await sending;
  return recorder.end();
}

interface Opened {
  webhook: OpenEndpoint;
  /** The owner's. */
  key: DataKey;
}

/** Null where the owner's key or the webhook's secrets do not open. */
async function open({ endpoint, wrappedKey }: Held, { keyRing }: Settings): Promise<Opened | null> {
  const owner = { type: endpoint.owner_type, id: endpoint.owner_id };
  try {
    if (wrappedKey === null) throw new Error("the owner's data key has been erased");
    const key = await unwrapDataKey(keyRing, wrappedKey, ownerKeyContext(owner));
    return { webhook: await openEndpoint(endpoint, key, Date.now()), key };
  } catch (error) {
    logError("a webhook could not be opened", { webhook_id: endpoint.id }, error);
    return null;
  }
}

/** A delivery that cannot be made takes its course like one that failed: it must neither hold up others nor vanish. */
async function sendOrFail(
  { webhook, key }: Opened,
  due: DueDelivery,
  { addressPolicy }: Settings,
): Promise<Sent> {
  try {
    return await sendDelivery(webhook, due, key, addressPolicy);
  } catch (error) {
    logError("a delivery could not be made", { webhook_id: webhook.endpoint.id, event_id: due.id }, error);
    return unsent();
  }
}

function unsent(): Sent {
  const outcome = { kind: "internal", status: null, ms: 0, answer: null, retryAfterMs: null } as const;
  return { startedAt: Date.now(), outcome };
}

async function sealAnswer(
  { outcome: { answer } }: Sent,
  due: DueDelivery,
  { webhook, key }: Opened,
): Promise<string | null> {
  if (answer === null || answer === "") return null;
  return sealText(key, answer, answerContext(webhook.endpoint.id, due.event_seq, due.attempts + 1));
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
