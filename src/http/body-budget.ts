/**
 * Limits the body bytes that one isolate holds at a time. Bytes are charged as they arrive, so a slow sender holds only
 * what it has sent. A body that does not fit waits in a queue. The first in the queue may exceed the total until it is
 * complete, so large bodies never deadlock. While a queue exists, senders that make hardly any progress are cut off, so
 * they do not hold memory that others wait for.
 *
 * Bodies of management endpoints share the budget and may hold half of it; the other half is reserved for reports. Each
 * kind of body has its own queue, and its own first place that may exceed the total.
 *
 * An isolate has 128 MB. At worst a body exists twice: first in chunks and in one piece, then in one piece and sealed.
 * Twice the 16 MiB and one extra body of each kind (10 and 8 MiB) leaves about half of the isolate to everything else.
 */
export const BODY_BUDGET_BYTES = 16 * 1024 ** 2;

/** Bodies up to this size do not wait: they are most of the traffic. */
const NEVER_WAITS_BYTES = 256 * 1024;
/** Together, small bodies may exceed the total by this much; beyond it they wait as well. */
const SMALL_BODIES_BYTES = { report: 12 * 1024 ** 2, management: 2 * 1024 ** 2 };

const TICK_MS = 100;
/** Progress is checked after this many consecutive ticks on time: while the isolate is busy with one body, no other sender can make progress. */
const TICKS_PER_CHECK = 15;
/** The bytes that a sender must send between two checks. A 10 MiB body at this rate would far exceed its deadline. */
const LEAST_PROGRESS_BYTES = 128 * 1024;
/** A complete body leaves the gateway long before this. A share that is older was abandoned by its request. */
const ABANDONED_MS = 120_000;

/** Reports are served first. */
const KINDS = ["report", "management"] as const;
export type BodyKind = (typeof KINDS)[number];

interface Waiting {
  share: Share;
  bytes: number;
  grant: () => void;
}

export class BodyBudget {
  readonly #total: number;
  readonly #held = { report: 0, management: 0 };
  /** Per kind, the one share that may exceed the kind's limit. */
  readonly #favoured: Record<BodyKind, Share | null> = { report: null, management: null };
  readonly #open = new Set<Share>();
  readonly #queues: Record<BodyKind, Waiting[]> = { report: [], management: [] };
  #ticks = 0;
  #tickedAt = 0;

  constructor(totalBytes: number = BODY_BUDGET_BYTES) {
    this.#total = totalBytes;
  }

  /** Opens a share for one body. The caller must close it. `turnAway` is called if the budget closes it in favour of others. */
  open(turnAway: () => void = () => undefined, kind: BodyKind = "report"): Share {
    const share = new Share(this, turnAway, kind);
    this.#open.add(share);
    return share;
  }

  /** Used by {@link Share}. */
  acquire(share: Share, bytes: number): Promise<void> | undefined {
    if (this.#isSmall(share, bytes) || this.#fits(share, bytes)) {
      this.#hold(share, bytes);
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    // Each waiting request has its own timer, because a timer ends with the request that set it.
    const timer = setInterval(() => this.#tick(Date.now()), TICK_MS);
    this.#queues[share.kind].push({ share, bytes, grant: resolve });
    this.#advance();
    return promise.finally(() => clearInterval(timer));
  }

  /** Used by {@link Share}. */
  giveBack(share: Share, bytes: number): void {
    this.#held[share.kind] -= bytes;
    share.held -= bytes;
    this.#advance();
  }

  /** Used by {@link Share}. */
  release(share: Share): void {
    const { kind } = share;
    const queue = this.#queues[kind];
    this.#open.delete(share);
    this.#held[kind] -= share.held;
    if (this.#favoured[kind] === share) this.#favoured[kind] = null;
    const place = queue.findIndex((waiting) => waiting.share === share);
    if (place >= 0) for (const { grant } of queue.splice(place, 1)) grant();
    this.#advance();
  }

  /** The bytes that bodies of this kind may still acquire. */
  #room(kind: BodyKind): number {
    const { report, management } = this.#held;
    const half = this.#total / 2;
    if (kind === "report") return this.#total - report - Math.min(management, half);
    return Math.min(half - management, this.#total - report - management);
  }

  #isSmall(share: Share, bytes: number): boolean {
    return (
      share.held + bytes <= NEVER_WAITS_BYTES &&
      bytes <= this.#room(share.kind) + SMALL_BODIES_BYTES[share.kind]
    );
  }

  #fits(share: Share, bytes: number): boolean {
    const { kind } = share;
    return share === this.#favoured[kind] || (this.#queues[kind].length === 0 && bytes <= this.#room(kind));
  }

  #hold(share: Share, bytes: number): void {
    this.#held[share.kind] += bytes;
    share.held += bytes;
    share.acquired += bytes;
  }

  #advance(): void {
    for (const kind of KINDS) this.#serve(kind);
  }

  #serve(kind: BodyKind): void {
    const queue = this.#queues[kind];
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      if (first.bytes > this.#room(kind)) {
        const favoured = this.#favoured[kind];
        if (favoured !== null && favoured !== first.share) return;
        this.#favoured[kind] = first.share;
      }
      queue.shift();
      this.#hold(first.share, first.bytes);
      first.grant();
    }
  }

  /** All waiting requests tick; only one tick per interval counts. */
  #tick(now: number): void {
    const sinceLast = now - this.#tickedAt;
    if (sinceLast < TICK_MS / 2) return;
    this.#tickedAt = now;
    if (sinceLast > 2 * TICK_MS) {
      this.#ticks = 0;
      for (const share of this.#open) share.sentSinceCheck();
    } else if (++this.#ticks >= TICKS_PER_CHECK) {
      this.#ticks = 0;
      this.#turnAwaySlow(now);
    }
  }

  /** Cuts off slow senders, the largest share first, until nothing waits. A report is never cut off for a management body. */
  #turnAwaySlow(now: number): void {
    const waiting = new Set(KINDS.flatMap((kind) => this.#queues[kind].map(({ share }) => share)));
    const slow = [...this.#open].filter((share) => {
      const sent = share.sentSinceCheck();
      if (share.readAt !== null) return now - share.readAt > ABANDONED_MS;
      return sent < LEAST_PROGRESS_BYTES && !waiting.has(share);
    });
    for (const share of slow.sort((a, b) => b.held - a.held)) {
      const { report, management } = this.#queues;
      if (report.length === 0 && management.length === 0) return;
      if (report.length === 0 && share.kind === "report" && share.readAt === null) continue;
      share.close();
      share.turnAway();
    }
  }
}

export class Share {
  /** The bytes that this share holds. */
  held = 0;
  /** All bytes that it has acquired so far. */
  acquired = 0;
  readonly kind: BodyKind;
  /** When the body was complete; null while it is being read. */
  readAt: number | null = null;
  readonly turnAway: () => void;
  #acquiredAtCheck: number | null = null;
  #closed = false;
  readonly #budget: BodyBudget;

  constructor(budget: BodyBudget, turnAway: () => void, kind: BodyKind) {
    this.#budget = budget;
    this.turnAway = turnAway;
    this.kind = kind;
  }

  /** Resolves when `bytes` more are held, or when the share is closed. Returns undefined if there is nothing to wait for. */
  acquire(bytes: number): Promise<void> | undefined {
    return this.#closed ? undefined : this.#budget.acquire(this, bytes);
  }

  /** The bytes acquired since the previous call; infinite on the first call. */
  sentSinceCheck(): number {
    const sent =
      this.#acquiredAtCheck === null ? Number.POSITIVE_INFINITY : this.acquired - this.#acquiredAtCheck;
    this.#acquiredAtCheck = this.acquired;
    return sent;
  }

  /** Releases all but `bytes` of what it holds, and stays open. */
  giveBackTo(bytes: number): void {
    if (!this.#closed && this.held > bytes) this.#budget.giveBack(this, this.held - bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#budget.release(this);
  }
}

/** The budget of the isolate, shared by all endpoints. */
export const bodyBudget = new BodyBudget();
