/**
 * Look-ups of names that an isolate does not know take turns: an address has a few in flight at a time, an isolate a few
 * hundred, and addresses that wait are served one after the other. So a caller who asks for thousands of names waits for
 * himself, and a caller from elsewhere waits at most until every address in line had one turn.
 *
 * Turns and places in line are plain data: a request whose client has gone never gives its turn back, so a turn ends by
 * itself, and everybody in line looks after that.
 */

/** More than a vendor needs for a thousand look-ups of a few milliseconds each in a second. */
const TURNS_PER_ADDRESS = 32;
/** Of an isolate, so that callers with many addresses are a bounded load for the database. */
const TURNS = 256;
/** A look-up has ended long before, or its request is gone. */
const TURN_MS = 4_000;
/** After this, a caller is told to repeat the request. */
const WAIT_MS = 10_000;
/** In line, of one address and in all. */
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
  /** The addresses in line, the next one first, with those who wait behind each. */
  readonly #lines = new Map<string, Waiting[]>();
  #waiting = 0;

  /** A turn, which must be given back with {@link end}; null when none came in time. */
  take(address: string): Turn | Promise<Turn | null> {
    this.#reclaim();
    const line = this.#lines.get(address);
    if (line === undefined && this.#mayBegin(address)) return this.#begin(address);
    if (this.#waiting >= MAX_WAITING || (line?.length ?? 0) >= MAX_WAITING_PER_ADDRESS)
      return Promise.resolve(null);
    const { promise, resolve } = Promise.withResolvers<Turn | null>();
    const waiting: Waiting = { grant: resolve };
    if (line === undefined) this.#lines.set(address, [waiting]);
    else line.push(waiting);
    this.#waiting++;
    // Timers end with the request that set them: each in line has its own.
    const tick = setInterval(() => this.#reclaim(), RECLAIM_EVERY_MS);
    const timeout = setTimeout(() => this.#leaveLine(address, waiting), WAIT_MS);
    return promise.finally(() => {
      clearInterval(tick);
      clearTimeout(timeout);
    });
  }

  end(turn: Turn): void {
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
    for (const [address, line] of this.#lines) {
      if (this.#turns.size >= TURNS) return;
      if (!this.#mayBegin(address)) continue;
      const next = line.shift();
      // To the end of the line of addresses, where this loop comes by again.
      this.#lines.delete(address);
      if (line.length > 0) this.#lines.set(address, line);
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

  #leaveLine(address: string, waiting: Waiting): void {
    const line = this.#lines.get(address) ?? [];
    const place = line.indexOf(waiting);
    if (place < 0) return;
    line.splice(place, 1);
    if (line.length === 0) this.#lines.delete(address);
    this.#waiting--;
    waiting.grant(null);
  }
}
