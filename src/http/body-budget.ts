/**
 * How many body bytes one isolate holds at a time. Bytes are charged as they arrive, so a slow sender holds only what it
 * sent; who does not fit waits in line. So that full bodies never wait for each other for ever, the first in line may go
 * on past the total until it is done. So that slow senders do not hold what others wait for, those who hardly send are
 * turned away while there is a line.
 *
 * An isolate has 128 MB, and a body lives twice at its worst: as received and in one piece, then in one piece and sealed.
 * 16 MiB and one body more, twice, leave more than half of the isolate to the program and the consumer.
 */
export const BODY_BUDGET_BYTES = 16 * 1024 ** 2;

/** Bodies up to this size do not wait: they are most of the traffic. */
const NEVER_WAITS_BYTES = 256 * 1024;
/** Unless so many of them came at once that together they are large: beyond the total, they may hold this much. */
const SMALL_BODIES_BYTES = 12 * 1024 ** 2;

const TICK_MS = 100;
/** In a row, and each in time: while the isolate is busy with one body, no other sender can make progress. */
const TICKS_PER_LOOK = 15;
/** What a sender must have sent between two looks. At this rate ten MiB would miss their deadline by far. */
const LEAST_PROGRESS_BYTES = 128 * 1024;
/** A body that was read is out of the gateway long before. Whoever held it is gone. */
const ABANDONED_MS = 120_000;

interface Waiting {
  share: Share;
  bytes: number;
  admit: () => void;
}

export class BodyBudget {
  readonly #total: number;
  #held = 0;
  /** The share that may exceed the total; at most one. */
  #favoured: Share | null = null;
  readonly #open = new Set<Share>();
  readonly #line: Waiting[] = [];
  #ticks = 0;
  #tickedAt = 0;

  constructor(totalBytes: number = BODY_BUDGET_BYTES) {
    this.#total = totalBytes;
  }

  /** A share for one body. It must be closed. `turnAway` is called when it was closed for the sake of others. */
  open(turnAway: () => void = () => undefined): Share {
    const share = new Share(this, turnAway);
    this.#open.add(share);
    return share;
  }

  /** Used by {@link Share}. */
  take(share: Share, bytes: number): Promise<void> | undefined {
    if (this.#isSmall(share, bytes) || this.#fits(share, bytes)) {
      this.#hold(share, bytes);
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    // Each in line ticks for itself: a timer ends with the request that set it.
    const timer = setInterval(() => this.#tick(Date.now()), TICK_MS);
    this.#line.push({ share, bytes, admit: resolve });
    this.#advance();
    return promise.finally(() => clearInterval(timer));
  }

  /** Used by {@link Share}. */
  release(share: Share): void {
    this.#open.delete(share);
    this.#held -= share.held;
    if (this.#favoured === share) this.#favoured = null;
    const place = this.#line.findIndex((waiting) => waiting.share === share);
    if (place >= 0) for (const { admit } of this.#line.splice(place, 1)) admit();
    this.#advance();
  }

  #isSmall(share: Share, bytes: number): boolean {
    return share.held + bytes <= NEVER_WAITS_BYTES && this.#held + bytes <= this.#total + SMALL_BODIES_BYTES;
  }

  #fits(share: Share, bytes: number): boolean {
    return share === this.#favoured || (this.#line.length === 0 && this.#held + bytes <= this.#total);
  }

  #hold(share: Share, bytes: number): void {
    this.#held += bytes;
    share.held += bytes;
  }

  #advance(): void {
    for (let first = this.#line[0]; first !== undefined; first = this.#line[0]) {
      if (this.#held + first.bytes > this.#total) {
        if (this.#favoured !== null && this.#favoured !== first.share) return;
        this.#favoured = first.share;
      }
      this.#line.shift();
      this.#hold(first.share, first.bytes);
      first.admit();
    }
  }

  /** Those in line tick at their own times: one of them counts. */
  #tick(now: number): void {
    const sinceLast = now - this.#tickedAt;
    if (sinceLast < TICK_MS / 2) return;
    this.#tickedAt = now;
    if (sinceLast > 2 * TICK_MS) {
      this.#ticks = 0;
      for (const share of this.#open) share.sentSinceLook();
    } else if (++this.#ticks >= TICKS_PER_LOOK) {
      this.#ticks = 0;
      this.#turnAwaySlow(now);
    }
  }

  /** Who holds most goes first, until nobody waits any more. */
  #turnAwaySlow(now: number): void {
    const inLine = new Set(this.#line.map(({ share }) => share));
    const slow = [...this.#open].filter((share) => {
      const sent = share.sentSinceLook();
      if (share.readAt !== null) return now - share.readAt > ABANDONED_MS;
      return sent < LEAST_PROGRESS_BYTES && !inLine.has(share);
    });
    for (const share of slow.sort((a, b) => b.held - a.held)) {
      if (this.#line.length === 0) return;
      share.close();
      share.turnAway();
    }
  }
}

class Share {
  /** Bytes this share holds. */
  held = 0;
  /** When the body was complete; null while it is being read. */
  readAt: number | null = null;
  readonly turnAway: () => void;
  #heldAtLook: number | null = null;
  #closed = false;
  readonly #budget: BodyBudget;

  constructor(budget: BodyBudget, turnAway: () => void) {
    this.#budget = budget;
    this.turnAway = turnAway;
  }

  /** Resolves (or answers undefined at once) when `bytes` more are held, or when the share is closed. */
  take(bytes: number): Promise<void> | undefined {
    return this.#closed ? undefined : this.#budget.take(this, bytes);
  }

  /** Bytes taken since this was last asked; enough when it was never asked. */
  sentSinceLook(): number {
    const sent = this.#heldAtLook === null ? Number.POSITIVE_INFINITY : this.held - this.#heldAtLook;
    this.#heldAtLook = this.held;
    return sent;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#budget.release(this);
  }
}

/** The isolate's own: whatever door a body comes through, it takes from the same memory. */
export const bodyBudget = new BodyBudget();
