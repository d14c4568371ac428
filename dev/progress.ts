/** Progress of a long run on stderr: a bar on a terminal, otherwise one line per tenth. */

const BAR_WIDTH = 30;
const REDRAW_MS = 100;
/** A shorter run prints only its summary. */
const QUIET_MS = 500;

export class Progress {
  readonly #total: number;
  readonly #out: NodeJS.WriteStream;
  readonly #start = Date.now();
  #done = 0;
  #drawnAt = 0;
  #tenth = 0;

  constructor(total: number, out: NodeJS.WriteStream) {
    this.#total = total;
    this.#out = out;
  }

  advance(): void {
    this.#done += 1;
    const now = Date.now();
    if (now - this.#start < QUIET_MS) return;
    if (this.#out.isTTY) {
      if (now - this.#drawnAt < REDRAW_MS && this.#done < this.#total) return;
      this.#drawnAt = now;
      this.#out.write(`\r${progressBar(this.#done, this.#total)}\x1b[K`);
      return;
    }
    const tenth = Math.floor((this.#done * 10) / this.#total);
    if (tenth === this.#tenth) return;
    this.#tenth = tenth;
    this.#out.write(`${tenth * 10} % (${this.#done} of ${this.#total})\n`);
  }

  end(): void {
    if (this.#out.isTTY && this.#drawnAt > 0) this.#out.write("\n");
  }
}

export function progressBar(done: number, total: number): string {
  const filled = Math.floor((done * BAR_WIDTH) / total);
  const percent = Math.floor((done * 100) / total);
  return `[${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)}] ${percent} %  ${done} of ${total}`;
}
