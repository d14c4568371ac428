/**
 * Lookups of names that an isolate does not know take turns: an address has a few in flight at a time, an isolate a few
 * hundred, and waiting addresses are served in rotation. A caller that asks for thousands of names delays itself; a
 * caller at another address waits at most until every waiting address has had one turn.
 *
 * Turns and places in the queue are plain data. A request whose client has gone never releases its turn, so a turn
 * expires, and every waiting request checks for expired turns.
 */

/** A vendor needs fewer for a thousand lookups per second, of a few milliseconds each. */
const TURNS_PER_ADDRESS = 32;
/** Per isolate. Bounds the load that callers with many addresses put on the database. */
const TURNS = 256;
/** A lookup that takes longer belongs to a request that is gone. */
const TURN_MS = 4_000;
/** A request that has waited this long fails, and the caller must repeat it. */
const WAIT_MS = 10_000;
/** Waiting requests, of one address and in all. */
const MAX_WAITING_PER_ADDRESS = 2_000;
const MAX_WAITING = 10_000;
const RECLAIM_EVERY_MS = 250;

export interface Turn {
  address: string;
  beganAt: number;
}

interface Waiting {
  grant: (turn: Turn | null) => void;
}

export class LookupTurns {
  /** In the order in which they began. */
  readonly #turns = new Set<Turn>();
  readonly #held = new Map<string, number>();
  /** The waiting requests of each address, in the order in which addresses are served. */
  readonly #queues = new Map<string, Waiting[]>();
  #waiting = 0;

  /** A turn, which must be given back with {@link release}; null if none came in time. */
  acquire(address: string): Turn | Promise<Turn | null> {
    this.#reclaim();
    const queue = this.#queues.get(address);
    if (queue === undefined && this.#mayBegin(address)) return this.#begin(address);
    if (this.#waiting >= MAX_WAITING || (queue?.length ?? 0) >= MAX_WAITING_PER_ADDRESS)
      return Promise.resolve(null);
    const { promise, resolve } = Promise.withResolvers<Turn | null>();
    const waiting: Waiting = { grant: resolve };
    if (queue === undefined) this.#queues.set(address, [waiting]);
    else queue.push(waiting);
    this.#waiting++;
    // A timer ends with the request that set it, so each waiting request has its own.
    const tick = setInterval(() => this.#reclaim(), RECLAIM_EVERY_MS);
    const timeout = setTimeout(() => this.#leaveQueue(address, waiting), WAIT_MS);
    return promise.finally(() => {
      clearInterval(tick);
      clearTimeout(timeout);
    });
  }

  release(turn: Turn): void {
    this.#drop(turn);
    this.#advance();
  }

  #mayBegin(address: string): boolean {
    return this.#turns.size < TURNS && (this.#held.get(address) ?? 0) < TURNS_PER_ADDRESS;
  }

  #begin(address: string): Turn {
    const turn = { address, beganAt: performance.now() };
    this.#turns.add(turn);
    this.#held.set(address, (this.#held.get(address) ?? 0) + 1);
    return turn;
  }

  #drop(turn: Turn): void {
    if (!this.#turns.delete(turn)) return;
    const left = (this.#held.get(turn.address) ?? 1) - 1;
    if (left === 0) this.#held.delete(turn.address);
    else this.#held.set(turn.address, left);
  }

  #advance(): void {
    for (const [address, queue] of this.#queues) {
      if (this.#turns.size >= TURNS) return;
      if (!this.#mayBegin(address)) continue;
      const next = queue.shift();
      // Moves the address behind the others; this loop reaches it again.
      this.#queues.delete(address);
      if (queue.length > 0) this.#queues.set(address, queue);
      if (next === undefined) continue;
      this.#waiting--;
      next.grant(this.#begin(address));
    }
  }

  #reclaim(): void {
    const now = performance.now();
    let reclaimed = false;
    for (const turn of this.#turns) {
      if (now - turn.beganAt < TURN_MS) break;
      this.#drop(turn);
      reclaimed = true;
    }
    if (reclaimed) this.#advance();
  }

  #leaveQueue(address: string, waiting: Waiting): void {
    const queue = this.#queues.get(address) ?? [];
    const place = queue.indexOf(waiting);
    if (place < 0) return;
    queue.splice(place, 1);
    if (queue.length === 0) this.#queues.delete(address);
    this.#waiting--;
    waiting.grant(null);
  }
}
