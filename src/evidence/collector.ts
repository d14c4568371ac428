/**
 * Gathers evidence of refused and repeated requests in the isolate, and sends it to the gates and request logs after the response: at
 * most one note per second to each. The first request after a quiet second is sent at once. After three failures, a note waits for the
 * next refused request of any sender.
 *
 * Only plain data is kept between requests. A note that was not confirmed is repeated under its id. Memory is bounded: when too many
 * senders wait for their look-up, requests of others are counted as nobody's; when too many gates are away, the notes to the first are
 * dropped. An isolate that is killed loses what it has not sent.
 */
import type { Bindings } from "../bindings.ts";
import { isOutage } from "../deadline.ts";
import { logError } from "../log.ts";
import { type GateAddress, gateName } from "../model.ts";
import { type ClaimedSender, gatesOfSenders } from "./claimed-senders.ts";
import { PacedWork, type Progress } from "./paced-work.ts";
import { PendingNote } from "./pending-note.ts";
import type { Note, RequestEntry } from "./request-entry.ts";
import { logName, logShardOf, NOBODYS_SHARD } from "./request-log-name.ts";

/** Gates and request logs with a queue. */
const MAX_QUEUES = 1_000;
/** Claimed senders that wait for their look-up. */
const MAX_CLAIMED = 200;

/** The sender of a request, as far as it is known. */
export type Sender = { gate: GateAddress } | ClaimedSender | "nobody";

type Recipient = { kind: "gate"; gate: GateAddress } | { kind: "log"; shard: number };

const NOBODYS_LOG: Recipient = { kind: "log", shard: NOBODYS_SHARD };

interface Queue {
  name: string;
  recipient: Recipient;
  pending: PendingNote;
  /** A note that was sent, and not confirmed. It is repeated before the next one. */
  unconfirmed: Note | null;
  sending: PacedWork;
}

export class EvidenceCollector {
  /** Between two notes to one recipient, and between two look-ups of claimed senders. */
  pauseMs = 1_000;
  readonly #queues = new Map<string, Queue>();
  /** Names of the queues that hold something. */
  readonly #unsent = new Set<string>();
  readonly #claimed = new Map<string, { sender: ClaimedSender; pending: PendingNote }>();
  #resolving = new PacedWork();

  /** A refused or repeated request. Never rejects. Keep the request running until it resolves. */
  async addRequest(sender: Sender, entry: RequestEntry, env: Bindings): Promise<void> {
    await Promise.all([this.#add(sender, entry, env), this.#retryOne(env), this.#resolveSoon(env)]);
  }

  /** Forgets everything. */
  clear(): void {
    this.#queues.clear();
    this.#unsent.clear();
    this.#claimed.clear();
    this.#resolving = new PacedWork();
  }

  #add(sender: Sender, entry: RequestEntry, env: Bindings): Promise<void> | undefined {
    if (sender === "nobody") return this.#addTo(NOBODYS_LOG, (pending) => pending.add(entry), env);
    if ("gate" in sender)
      return this.#addTo({ kind: "gate", gate: sender.gate }, (pending) => pending.add(entry), env);
    const claimed = this.#claimed.get(sender.name);
    if (claimed !== undefined) claimed.pending.add(entry);
    else if (this.#claimed.size >= MAX_CLAIMED) return this.#add("nobody", entry, env);
    else {
      const pending = new PendingNote();
      pending.add(entry);
      this.#claimed.set(sender.name, { sender, pending });
    }
    return undefined;
  }

  #addTo(
    recipient: Recipient,
    add: (pending: PendingNote) => void,
    env: Bindings,
  ): Promise<void> | undefined {
    const queue = this.#queueOf(recipient);
    add(queue.pending);
    this.#unsent.add(queue.name);
    return this.#sendSoon(queue, env);
  }

  #sendSoon(queue: Queue, env: Bindings): Promise<void> | undefined {
    return queue.sending.soon(this.pauseMs, () => this.#send(queue, env));
  }

  async #send(queue: Queue, env: Bindings): Promise<Progress> {
    if (isEmpty(queue)) return "done";
    queue.unconfirmed ??= queue.pending.take(crypto.randomUUID().slice(-12));
    const note = queue.unconfirmed;
    if (!(await send(queue.recipient, note, env))) return "failed";
    // A request that took over from this one may have sent the next note.
    if (queue.unconfirmed === note) queue.unconfirmed = null;
    if (!isEmpty(queue)) return "more";
    this.#unsent.delete(queue.name);
    return "done";
  }

  /** Sends the note of another queue, whose own requests may have ended. Each request tries the next queue. */
  #retryOne(env: Bindings): Promise<void> | undefined {
    const [name] = this.#unsent;
    const queue = name === undefined ? undefined : this.#queues.get(name);
    if (queue === undefined) return undefined;
    this.#unsent.delete(queue.name);
    this.#unsent.add(queue.name);
    return this.#sendSoon(queue, env);
  }

  async #resolveSoon(env: Bindings): Promise<void> {
    if (this.#claimed.size === 0) return;
    const sending: (Promise<void> | undefined)[] = [];
    await this.#resolving.soon(this.pauseMs, () => this.#resolve(env, sending));
    await Promise.all(sending);
  }

  /** One look-up for all claimed senders. They stay claimed until it has succeeded. */
  async #resolve(env: Bindings, sending: (Promise<void> | undefined)[]): Promise<Progress> {
    const senders = [...this.#claimed.values()].map(({ sender }) => sender);
    if (senders.length === 0) return "done";
    const gates = await lookUp(senders, env);
    if (gates === null) return "failed";
    for (const { name, id } of senders) {
      const claimed = this.#claimed.get(name);
      if (claimed === undefined) continue;
      this.#claimed.delete(name);
      const gate = gates.get(name);
      const recipient: Recipient =
        gate === undefined ? { kind: "log", shard: logShardOf(id) } : { kind: "gate", gate };
      sending.push(this.#addTo(recipient, (pending) => pending.merge(claimed.pending), env));
    }
    return this.#claimed.size > 0 ? "more" : "done";
  }

  #queueOf(recipient: Recipient): Queue {
    const name = nameOf(recipient);
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    if (this.#queues.size >= MAX_QUEUES) this.#makeRoom();
    const queue = {
      name,
      recipient,
      pending: new PendingNote(),
      unconfirmed: null,
      sending: new PacedWork(),
    };
    this.#queues.set(name, queue);
    return queue;
  }

  /** Drops a queue that holds nothing; if there is none, the oldest. */
  #makeRoom(): void {
    const names = [...this.#queues.keys()];
    const empty = names.find((name) => !this.#unsent.has(name));
    const dropped = empty ?? names[0];
    if (dropped === undefined) return;
    if (empty === undefined) logError("dropped evidence: too many gates are away", { gate: dropped });
    this.#queues.delete(dropped);
    this.#unsent.delete(dropped);
  }
}

function isEmpty({ unconfirmed, pending }: Queue): boolean {
  return unconfirmed === null && pending.isEmpty;
}

function nameOf(recipient: Recipient): string {
  return recipient.kind === "gate" ? gateName(recipient.gate) : logName(recipient.shard);
}

/** The gates of the senders that exist. Null if the database is away. */
async function lookUp(
  senders: readonly ClaimedSender[],
  env: Bindings,
): Promise<Map<string, GateAddress> | null> {
  try {
    return await gatesOfSenders(env.DB, senders);
  } catch (error) {
    logError("failed to look up the senders of refused requests", { senders: senders.length }, error);
    return null;
  }
}

/** Returns false if the recipient is away. A note that it will never accept is dropped. */
async function send(recipient: Recipient, note: Note, env: Bindings): Promise<boolean> {
  try {
    if (recipient.kind === "gate")
      await env.CONNECTION_GATE.getByName(gateName(recipient.gate)).note(recipient.gate, note);
    else await env.REQUEST_LOG.getByName(logName(recipient.shard)).note(recipient.shard, note);
    return true;
  } catch (error) {
    logError("failed to send evidence of requests", { gate: nameOf(recipient) }, error);
    return !isOutage(error);
  }
}

/** The isolate's collector, shared by all intakes. */
export const evidence = new EvidenceCollector();
