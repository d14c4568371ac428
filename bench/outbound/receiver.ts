/** Runs the receiver of deliveries on loopback. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

export interface Receipt {
  path: string;
  eventId: string;
  /** Wall clock, ms since the epoch. */
  at: number;
}

export class Receiver {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Receiver> {
    const process = fork(path.join(import.meta.dirname, "receiver-process.ts"));
    const [port] = await once(process, "message");
    return new Receiver(process, Number(port));
  }

  /** What was received since it was last asked, once that is `count` deliveries. Rejects when they take too long. */
  async take(count: number, limitMs: number): Promise<Receipt[]> {
    const taken = once(this.#process, "message", { signal: AbortSignal.timeout(limitMs) });
    this.#process.send({ take: count });
    try {
      const [receipts] = await taken;
      return receipts as Receipt[];
    } catch (error) {
      throw new Error(`${count} deliveries did not arrive within ${limitMs} ms`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    this.#process.disconnect();
    await once(this.#process, "exit");
  }
}
