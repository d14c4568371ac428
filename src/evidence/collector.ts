/**
 * Gathers in the isolate what becomes of requests at the intakes for reports, and tells it to the gates and request logs: after
 * the answer, and at most once a second each. The first request of a quiet second is told at once.
 *
 * Only plain data is kept between requests, and times instead of flags, so that a request that dies leaves nothing that blocks
 * later ones. What could not be told is kept as counts, and told with what comes later. Everything is bounded: what has no room
 * is counted where there is some, or logged and lost. An isolate that is killed loses what it has not told.
 */
import type { Bindings } from "../bindings.ts";
import { isOutage } from "../deadline.ts";
import { logError } from "../log.ts";
import { type GateAddress, gateName } from "../model.ts";
import { PendingNote } from "./pending-note.ts";
import type { Note, RequestEntry } from "./request-entry.ts";
import { logName, logShardOf, NOBODYS_SHARD } from "./request-log-name.ts";
import { type Claimed, resolveSenders } from "./resolve-senders.ts";

/** Gates and request logs that are remembered. */
const MAX_RECEIVERS = 1_000;
/** Senders that wait to be resolved. More are counted as nobody's. */
const MAX_CLAIMED = 200;
/** Longer than any call of a flush: after this, another request takes over from one that died. */
const TAKEN_OVER_AFTER_MS = 15_000;
/** How long one request goes on telling what others have added meanwhile. */
const GOES_ON_MS = 15_000;

type Receiver = { kind: "gate"; gate: GateAddress } | { kind: "log"; shard: number };

/** Who a request came from. */
export type Sender = { gate: GateAddress } | Claimed | "nobody";

interface Queue {
  pending: PendingNote;
  /** A note whose answer was lost. It is repeated before anything else is told. */
  inDoubt: Note | null;
  toldAt: number;
  /** When the pending note is due, or will have been told; 0 when nobody is about to tell it. */
  dueAt: number;
}

function newQueue(): Queue {
  return { pending: new PendingNote(), inDoubt: null, toldAt: 0, dueAt: 0 };
}

export class EvidenceCollector {
  /** Between two notes to one receiver, and between two looks at who is who. */
  pauseMs = 1_000;
  readonly #queues = new Map<string, Queue & { receiver: Receiver }>();
  readonly #claimed = new Map<string, { sender: Claimed; pending: PendingNote }>();
  /** The names of those that could not be told something. */
  readonly #away = new Set<string>();
  readonly #resolving = { doneAt: 0, dueAt: 0 };

  /** A refused or repeated request. Returns what is to be kept running, and never rejects. */
  addRequest(sender: Sender, entry: RequestEntry, env: Bindings): Promise<void> | undefined {
    const code = entry.code ?? "DUPLICATE";
    return this.#andOthers(
      this.#add(sender, (pending) => pending.add(entry.at, code, entry), env),
      env,
    );
  }

  /** Forgets everything. */
  clear(): void {
    this.#queues.clear();
    this.#claimed.clear();
    this.#away.clear();
    Object.assign(this.#resolving, { doneAt: 0, dueAt: 0 });
  }

  /** What could not be told before is tried again with any other request: one gate or log at a time. */
  #andOthers(told: Promise<void> | undefined, env: Bindings): Promise<void> | undefined {
    if (this.#claimed.size === 0 && this.#away.size === 0) return told;
    const now = Date.now();
    const claimed = this.#claimed.size === 0 ? undefined : this.#resolveSoon(env, now);
    const [name] = this.#away;
    const queue = name === undefined ? undefined : this.#queues.get(name);
    if (name !== undefined) this.#away.delete(name);
    const again = queue === undefined ? undefined : this.#tellSoon(queue, env, now);
    return Promise.all([told, claimed, again]).then(() => undefined);
  }

  #add(sender: Sender, into: (pending: PendingNote) => void, env: Bindings): Promise<void> | undefined {
    const now = Date.now();
    if (sender !== "nobody" && "claims" in sender) {
      const claimed = this.#claimed.get(sender.name) ?? { sender, pending: new PendingNote() };
      if (this.#claimed.size >= MAX_CLAIMED && !this.#claimed.has(sender.name))
        return this.#add("nobody", into, env);
      this.#claimed.set(sender.name, claimed);
      into(claimed.pending);
      return this.#resolveSoon(env, now);
    }
    const receiver: Receiver =
      sender === "nobody" ? { kind: "log", shard: NOBODYS_SHARD } : { kind: "gate", gate: sender.gate };
    const queue = this.#queueOf(receiver);
    into(queue.pending);
    return this.#tellSoon(queue, env, now);
  }

  #tellSoon(queue: Queue & { receiver: Receiver }, env: Bindings, now: number): Promise<void> | undefined {
    if (isTaken(queue.dueAt, now)) return undefined;
    const wait = untilQuiet(queue.toldAt, this.pauseMs, now);
    queue.dueAt = now + wait;
    return this.#tell(queue, wait, env);
  }

  async #tell(queue: Queue & { receiver: Receiver }, wait: number, env: Bindings): Promise<void> {
    // Even for no time: the answer goes first.
    await scheduler.wait(wait);
    const until = Date.now() + GOES_ON_MS;
    for (;;) {
      queue.toldAt = Date.now();
      queue.dueAt = queue.toldAt;
      const told = await this.#tellOnce(queue, env);
      if (!told || queue.pending.isEmpty || Date.now() >= until) break;
      await scheduler.wait(this.pauseMs);
    }
    queue.dueAt = 0;
    if (queue.inDoubt !== null) this.#away.add(nameOf(queue.receiver));
  }

  /** Returns false if the receiver is away. */
  async #tellOnce(queue: Queue & { receiver: Receiver }, env: Bindings): Promise<boolean> {
    if (queue.inDoubt !== null) {
      if (!(await send(queue.receiver, queue.inDoubt, env))) {
        queue.pending.forgetSamples();
        return false;
      }
      queue.inDoubt = null;
    }
    if (queue.pending.isEmpty) return true;
    const note = queue.pending.take(crypto.randomUUID().slice(-12));
    if (await send(queue.receiver, note, env)) return true;
    queue.inDoubt = { ...note, samples: [] };
    queue.pending.forgetSamples();
    return false;
  }

  #resolveSoon(env: Bindings, now: number): Promise<void> | undefined {
    if (isTaken(this.#resolving.dueAt, now)) return undefined;
    const wait = untilQuiet(this.#resolving.doneAt, this.pauseMs, now);
    this.#resolving.dueAt = now + wait;
    return this.#resolve(wait, env);
  }

  /** One look-up for all senders that wait. What comes meanwhile is resolved by the next request, or by another round. */
  async #resolve(wait: number, env: Bindings): Promise<void> {
    // Even for no time: the answer goes first.
    await scheduler.wait(wait);
    const told: (Promise<void> | undefined)[] = [];
    const until = Date.now() + GOES_ON_MS;
    for (;;) {
      const now = Date.now();
      this.#resolving.doneAt = now;
      this.#resolving.dueAt = now;
      const taken = [...this.#claimed.values()];
      this.#claimed.clear();
      const gates = await resolved(taken, env);
      for (const { sender, pending } of taken) {
        const gate = gates?.get(sender.name) ?? null;
        if (gates === null) this.#putBack(sender, pending);
        else {
          const queue = this.#queueOf(
            gate === null ? { kind: "log", shard: logShardOf(sender.id) } : { kind: "gate", gate },
          );
          queue.pending.merge(pending);
          told.push(this.#tellSoon(queue, env, Date.now()));
        }
      }
      if (gates === null || this.#claimed.size === 0 || Date.now() >= until) break;
      await scheduler.wait(this.pauseMs);
    }
    this.#resolving.dueAt = 0;
    await Promise.all(told);
  }

  #putBack(sender: Claimed, pending: PendingNote): void {
    const known = this.#claimed.get(sender.name);
    if (known !== undefined) known.pending.merge(pending);
    else if (this.#claimed.size < MAX_CLAIMED) this.#claimed.set(sender.name, { sender, pending });
    else this.#queueOf({ kind: "log", shard: NOBODYS_SHARD }).pending.merge(pending);
  }

  #queueOf(receiver: Receiver): Queue & { receiver: Receiver } {
    const name = nameOf(receiver);
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    if (this.#queues.size >= MAX_RECEIVERS) this.#makeRoom();
    const queue = { ...newQueue(), receiver };
    this.#queues.set(name, queue);
    return queue;
  }

  /** Forgets a receiver that everything has been told to; if there is none, the oldest. */
  #makeRoom(): void {
    const names = [...this.#queues];
    const [name, queue] =
      names.find(([, { pending, inDoubt }]) => pending.isEmpty && inDoubt === null) ?? names[0] ?? [];
    if (name === undefined) return;
    if (queue !== undefined && !(queue.pending.isEmpty && queue.inDoubt === null))
      logError("failed to keep the evidence of requests: there are too many gates", { gate: name });
    this.#queues.delete(name);
    this.#away.delete(name);
  }
}

function nameOf(receiver: Receiver): string {
  return receiver.kind === "gate" ? gateName(receiver.gate) : logName(receiver.shard);
}

/** Whether a living request is about to tell. A clock that was set back takes it over. */
function isTaken(dueAt: number, now: number): boolean {
  return dueAt !== 0 && Math.abs(now - dueAt) < TAKEN_OVER_AFTER_MS;
}

function untilQuiet(toldAt: number, pauseMs: number, now: number): number {
  const since = now - toldAt;
  return since < 0 || since >= pauseMs ? 0 : pauseMs - since;
}

/** Null if the database is away. */
async function resolved(
  taken: readonly { sender: Claimed }[],
  env: Bindings,
): Promise<Map<string, GateAddress> | null> {
  if (taken.length === 0) return new Map();
  try {
    return await resolveSenders(
      env.DB,
      taken.map(({ sender }) => sender),
    );
  } catch (error) {
    logError("failed to look up whose requests were refused", { senders: taken.length }, error);
    return null;
  }
}

/** Returns false if the receiver is away. A note that it rejects for good is lost. */
async function send(receiver: Receiver, note: Note, env: Bindings): Promise<boolean> {
  try {
    if (receiver.kind === "gate")
      await env.CONNECTION_GATE.getByName(gateName(receiver.gate)).note(receiver.gate, note);
    else await env.REQUEST_LOG.getByName(logName(receiver.shard)).note(receiver.shard, note);
    return true;
  } catch (error) {
    logError("failed to hand over the evidence of requests", { gate: nameOf(receiver) }, error);
    return !isOutage(error);
  }
}

/** The isolate's collector, shared by all intakes. */
export const evidence = new EvidenceCollector();
