/** Bounds the work of one diagnosis, by counting instead of by the clock. Pure. */

/** Bodies above this are not examined. */
export const EXAMINED_BYTES = 64 * 1024;

const MAX_HMACS = 160;
/** The bytes that are hashed or printed. 64 KB can be signed in about a hundred ways. */
const MAX_BYTES = 8 * 1024 ** 2;
/** The bodies that are made from the one that came are held until the diagnosis ends. */
const MAX_HELD_BYTES = 2 * 1024 ** 2;

export class WorkBudget {
  #hmacs = MAX_HMACS;
  #bytes = MAX_BYTES;
  #held = MAX_HELD_BYTES;

  /** Whether an HMAC over so many bytes may be computed. If so, it is charged. */
  takeHmac(bytes: number): boolean {
    if (this.#hmacs === 0 || this.#bytes < bytes) return false;
    this.#hmacs--;
    this.#bytes -= bytes;
    return true;
  }

  /** Whether a body of so many bytes may be made and held. If so, it is charged. */
  takeBody(bytes: number): boolean {
    if (this.#held < bytes || this.#bytes < bytes) return false;
    this.#held -= bytes;
    this.#bytes -= bytes;
    return true;
  }
}
