/**
 * How the parts of the gateway tell the watch (`src/watch`) what it cannot read itself. The watch resolves by itself what nobody tells
 * any more, so a call that fails is only logged: it is made again while the condition holds.
 */
import type { Bindings } from "./bindings.ts";
import { logError } from "./log.ts";

/** The name of the one object. */
export const WATCH_NAME = "gateway";

export const TOLD_KINDS = ["report_waiting", "refused_share", "dead_letters", "ring_key_missing"] as const;
/**
 * `report_waiting`: a gate holds a report that has waited for long. `refused_share`: a gate refuses far more than the day before.
 * `dead_letters`: messages reached a dead-letter queue. `ring_key_missing`: something cannot be unsealed until a ring key is back.
 */
export type ToldKind = (typeof TOLD_KINDS)[number];

export interface Told {
  kind: ToldKind;
  /** The gate's name, the queue, or the id of the ring key. */
  subject: string;
  /** Numbers and words for people. Never a body, a secret or a name. */
  facts: Record<string, number | string>;
  /** It is told again within this time while it holds. Each kind has a time of its own if this is left out. */
  againMs?: number;
}

type WatchBinding = Pick<Bindings, "WATCH">;

/** Never rejects. */
export async function tellWatch(env: WatchBinding, told: Told): Promise<boolean> {
  return reach(told, () => env.WATCH.getByName(WATCH_NAME).tell(told));
}

/** The condition has ended. Never rejects. */
export async function tellWatchOver(
  env: WatchBinding,
  over: Pick<Told, "kind" | "subject">,
): Promise<boolean> {
  return reach(over, () => env.WATCH.getByName(WATCH_NAME).over(over.kind, over.subject));
}

async function reach(
  { kind, subject }: Pick<Told, "kind" | "subject">,
  call: () => PromiseLike<unknown>,
): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    logError("failed to tell the watch", { kind, subject }, error);
    return false;
  }
}

/** Tells of messages that reached the dead-letter queue of `queue`, each when it comes for the first time. Never rejects. */
export async function tellDeadLetters(
  env: WatchBinding,
  queue: "files" | "deliveries",
  batch: { messages: readonly { attempts: number }[] },
): Promise<void> {
  const messages = batch.messages.filter(({ attempts }) => attempts === 1).length;
  if (messages > 0) await tellWatch(env, { kind: "dead_letters", subject: queue, facts: { messages } });
}

/** Every file and delivery under the key meets its absence: an isolate tells it once per this time. */
const RING_KEY_TOLD_AGAIN_MS = 5 * 60_000;
/** When the watch did not answer: a consumer waits for it at most once per this time. */
const RETRY_MS = 60_000;
const MAX_RING_KEYS = 100;
const ringKeysToldAt = new Map<string, number>();

/** Never rejects. */
export async function tellRingKeyMissing(env: WatchBinding, ringKey: string): Promise<void> {
  const now = Date.now();
  const toldAt = ringKeysToldAt.get(ringKey);
  if (toldAt !== undefined && Math.abs(now - toldAt) < RING_KEY_TOLD_AGAIN_MS) return;
  if (ringKeysToldAt.size >= MAX_RING_KEYS) ringKeysToldAt.clear();
  ringKeysToldAt.set(ringKey, now);
  if (!(await tellWatch(env, { kind: "ring_key_missing", subject: ringKey, facts: {} })))
    ringKeysToldAt.set(ringKey, now - RING_KEY_TOLD_AGAIN_MS + RETRY_MS);
}
