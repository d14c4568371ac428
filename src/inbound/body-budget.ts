/**
 * How many body bytes one isolate holds at a time. Bytes are charged as they arrive, so a slow sender holds only what it
 * sent; who does not fit waits in line. So that full bodies never wait for each other for ever, the first in line may go
 * on past the total until it is done.
 *
 * A body lives up to three times at once (as received, sealed, on its way to the gate or the bucket), and an isolate has
 * 128 MB: 24 MiB and one body more leave room for the program.
 */
export const BODY_BUDGET_BYTES = 24 * 1024 ** 2;

/** Bodies up to this size never wait: they are most of the traffic, and together they stay small. */
const ALWAYS_ADMITTED_BYTES = 256 * 1024;

export class BodyBudget {
  readonly #total: number;
  #held = 0;
  /** The share that may exceed the total; at most one. */
  #favoured: Share | null = null;
  readonly #line: { share: Share; bytes: number; admit: () => void }[] = [];

  constructor(totalBytes: number = BODY_BUDGET_BYTES) {
    this.#total = totalBytes;
  }

  /** A share for one body. It must be closed. */
  open(): Share {
    return new Share(this);
  }

  /** Used by {@link Share}. */
  take(share: Share, bytes: number): Promise<void> | undefined {
    if (share.held + bytes <= ALWAYS_ADMITTED_BYTES || this.#fits(share, bytes)) {
      this.#hold(share, bytes);
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#line.push({ share, bytes, admit: resolve });
    this.#advance();
    return promise;
  }

  /** Used by {@link Share}. */
  release(share: Share): void {
    this.#held -= share.held;
    if (this.#favoured === share) this.#favoured = null;
    const place = this.#line.findIndex((waiting) => waiting.share === share);
    if (place >= 0) this.#line.splice(place, 1);
    this.#advance();
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
}

class Share {
  /** Bytes this share holds. */
  held = 0;
  #closed = false;
  readonly #budget: BodyBudget;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** Resolves (or answers undefined at once) when `bytes` more are held. */
  take(bytes: number): Promise<void> | undefined {
    return this.#budget.take(this, bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#budget.release(this);
  }
}
