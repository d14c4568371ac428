/**
 * Conditions that parts of the gateway raise with the watch (`src/watch`), which cannot observe them itself. A condition that is not raised
 * again for some time ends by itself. So a call that fails is only logged: while the condition holds, it is raised again. Only dead
 * letters are raised once; if that call fails, the log alone has them.
 */
import type { Bindings } from "./bindings.ts";
import { logError } from "./log.ts";

/** The name of the one object. */
export const WATCH_NAME = "gateway";

/**
 * `report_waiting`: a gate holds a report that has waited for long. `refused_share`: a gate refuses far more than the day before.
 * `dead_letters`: messages reached a dead-letter queue. `ring_key_missing`: something cannot be unsealed until a ring key is back.
 */
export type ConditionKind = "report_waiting" | "refused_share" | "dead_letters" | "ring_key_missing";

export interface RaisedCondition {
  kind: ConditionKind;
  /** The gate's name, the queue, or the id of the ring key. */
  subject: string;
  /** Numbers and words for people. Never a body, a secret or a name. */
  facts: Record<string, number | string>;
  /** While it holds, it is raised again within this time. Each kind has a default. */
  againMs?: number;
}

type WatchBinding = Pick<Bindings, "WATCH">;

/** Resolves to whether the watch was reached. Never rejects. */
export function raiseCondition(env: WatchBinding, condition: RaisedCondition): Promise<boolean> {
  return reach(condition, () => env.WATCH.getByName(WATCH_NAME).raise(condition));
}

/** The condition has ended. Resolves to whether the watch was reached. Never rejects. */
export function clearCondition(
  env: WatchBinding,
  condition: Pick<RaisedCondition, "kind" | "subject">,
): Promise<boolean> {
  const { kind, subject } = condition;
  return reach(condition, () => env.WATCH.getByName(WATCH_NAME).clear(kind, subject));
}

async function reach(
  { kind, subject }: Pick<RaisedCondition, "kind" | "subject">,
  call: () => PromiseLike<unknown>,
): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    logError("failed to reach the watch", { kind, subject }, error);
    return false;
  }
}

/** For messages in the dead-letter queue of `queue`. Each counts at its first delivery only. Never rejects. */
export async function raiseDeadLetters(
  env: WatchBinding,
  queue: "files" | "deliveries",
  batch: { messages: readonly { attempts: number }[] },
): Promise<void> {
  const messages = batch.messages.filter(({ attempts }) => attempts === 1).length;
  if (messages > 0) await raiseCondition(env, { kind: "dead_letters", subject: queue, facts: { messages } });
}

/** Every file and delivery that is sealed under the key fails without it. An isolate raises the condition once in this time. */
const RING_KEY_AGAIN_MS = 5 * 60_000;
/** After a call that failed: a consumer waits for a watch that is away at most once in this time. */
const RETRY_MS = 60_000;
const MAX_RING_KEYS = 100;
const ringKeysRaisedAt = new Map<string, number>();

/** Never rejects. */
export async function raiseRingKeyMissing(env: WatchBinding, ringKey: string): Promise<void> {
  const now = Date.now();
  const raisedAt = ringKeysRaisedAt.get(ringKey);
  if (raisedAt !== undefined && Math.abs(now - raisedAt) < RING_KEY_AGAIN_MS) return;
  if (ringKeysRaisedAt.size >= MAX_RING_KEYS) ringKeysRaisedAt.clear();
  ringKeysRaisedAt.set(ringKey, now);
  if (!(await raiseCondition(env, { kind: "ring_key_missing", subject: ringKey, facts: {} })))
    ringKeysRaisedAt.set(ringKey, now - RING_KEY_AGAIN_MS + RETRY_MS);
}
