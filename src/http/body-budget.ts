/**
 * How many body bytes one isolate holds at a time. Bytes are charged as they arrive, so a slow sender holds only what it
 * sent; who does not fit waits in line. So that full bodies never wait for each other for ever, the first in line may go
 * on past the total until it is done. So that slow senders do not hold what others wait for, those who hardly send are
 * turned away while there is a line.
 *
 * Bodies of management endpoints share the budget, and may hold half of it: however many come, the other half is left to
 * reports. Each kind has its own line, and its own first.
 *
 * An isolate has 128 MB, and a body lives twice at its worst: as received and in one piece, then in one piece and sealed.
 * 16 MiB and one body more of each kind (10 and 8 MiB), twice, leave half of the isolate to the program and the consumer.
 */
export const BODY_BUDGET_BYTES = 16 * 1024 ** 2;

/** Bodies up to this size do not wait: they are most of the traffic. */
const NEVER_WAITS_BYTES = 256 * 1024;
/** Unless so many of them came at once that together they are large: beyond the total, they may hold this much. */
const SMALL_BODIES_BYTES = { report: 12 * 1024 ** 2, management: 2 * 1024 ** 2 };

const TICK_MS = 100;
/** In a row, and each in time: while the isolate is busy with one body, no other sender can make progress. */
const TICKS_PER_LOOK = 15;
/** What a sender must have sent between two looks. At this rate ten MiB would miss their deadline by far. */
const LEAST_PROGRESS_BYTES = 128 * 1024;
/** A body that was read is out of the gateway long before. Whoever held it is gone. */
const ABANDONED_MS = 120_000;

/** Reports come first. */
const KINDS = ["report", "management"] as const;
export type BodyKind = (typeof KINDS)[number];

interface Waiting {
  share: Share;
  bytes: number;
  admit: () => void;
}

export class BodyBudget {
  readonly #total: number;
  readonly #held = { report: 0, management: 0 };
  /** Of each kind, the share that may exceed what the kind may hold; at most one. */
  readonly #favoured: Record<BodyKind, Share | null> = { report: null, management: null };
  readonly #open = new Set<Share>();
  readonly #lines: Record<BodyKind, Waiting[]> = { report: [], management: [] };
  #ticks = 0;
  #tickedAt = 0;

  constructor(totalBytes: number = BODY_BUDGET_BYTES) {
    this.#total = totalBytes;
  }

  /** A share for one body. It must be closed. `turnAway` is called when it was closed for the sake of others. */
  open(turnAway: () => void = () => undefined, kind: BodyKind = "report"): Share {
    const share = new Share(this, turnAway, kind);
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
    this.#lines[share.kind].push({ share, bytes, admit: resolve });
    this.#advance();
    return promise.finally(() => clearInterval(timer));
  }

  /** Used by {@link Share}. */
  give(share: Share, bytes: number): void {
    this.#held[share.kind] -= bytes;
    share.held -= bytes;
    this.#advance();
  }

  /** Used by {@link Share}. */
  release(share: Share): void {
    const { kind } = share;
    const line = this.#lines[kind];
    this.#open.delete(share);
    this.#held[kind] -= share.held;
    if (this.#favoured[kind] === share) this.#favoured[kind] = null;
    const place = line.findIndex((waiting) => waiting.share === share);
    if (place >= 0) for (const { admit } of line.splice(place, 1)) admit();
    this.#advance();
  }

  /** What bodies of this kind may still take. */
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
    return share === this.#favoured[kind] || (this.#lines[kind].length === 0 && bytes <= this.#room(kind));
  }

  #hold(share: Share, bytes: number): void {
    this.#held[share.kind] += bytes;
    share.held += bytes;
    share.taken += bytes;
  }

  #advance(): void {
    for (const kind of KINDS) this.#serve(kind);
  }

  #serve(kind: BodyKind): void {
    const line = this.#lines[kind];
    for (let first = line[0]; first !== undefined; first = line[0]) {
      if (first.bytes > this.#room(kind)) {
        const favoured = this.#favoured[kind];
        if (favoured !== null && favoured !== first.share) return;
        this.#favoured[kind] = first.share;
      }
      line.shift();
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

  /** Who holds most goes first, until nobody waits any more. No report is turned away for a management body. */
  #turnAwaySlow(now: number): void {
    const inLine = new Set(KINDS.flatMap((kind) => this.#lines[kind].map(({ share }) => share)));
    const slow = [...this.#open].filter((share) => {
      const sent = share.sentSinceLook();
      if (share.readAt !== null) return now - share.readAt > ABANDONED_MS;
      return sent < LEAST_PROGRESS_BYTES && !inLine.has(share);
    });
    for (const share of slow.sort((a, b) => b.held - a.held)) {
      const { report, management } = this.#lines;
      if (report.length === 0 && management.length === 0) return;
      if (report.length === 0 && share.kind === "report" && share.readAt === null) continue;
      share.close();
      share.turnAway();
    }
  }
}

export class Share {
  /** Bytes this share holds. */
  held = 0;
  /** Bytes it ever took. */
  taken = 0;
  readonly kind: BodyKind;
  /** When the body was complete; null while it is being read. */
  readAt: number | null = null;
  readonly turnAway: () => void;
  #takenAtLook: number | null = null;
  #closed = false;
  readonly #budget: BodyBudget;

  constructor(budget: BodyBudget, turnAway: () => void, kind: BodyKind) {
    this.#budget = budget;
    this.turnAway = turnAway;
    this.kind = kind;
  }

  /** Resolves (or answers undefined at once) when `bytes` more are held, or when the share is closed. */
  take(bytes: number): Promise<void> | undefined {
    return this.#closed ? undefined : this.#budget.take(this, bytes);
  }

  /** Bytes taken since this was last asked; enough when it was never asked. */
  sentSinceLook(): number {
    const sent = this.#takenAtLook === null ? Number.POSITIVE_INFINITY : this.taken - this.#takenAtLook;
    this.#takenAtLook = this.taken;
    return sent;
  }

  /** Gives back what it holds but for so many bytes, and stays open for more. */
  giveBackTo(bytes: number): void {
    if (!this.#closed && this.held > bytes) this.#budget.give(this, this.held - bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#budget.release(this);
  }
}

/** The isolate's budget: all bodies share its memory, whichever endpoint they come to. */
export const bodyBudget = new BodyBudget();
