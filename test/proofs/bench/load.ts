/** Starts the load generator's thread and sends it rounds. */
import { Worker } from "node:worker_threads";
import type { Order, Round } from "./client.ts";

export class Load {
  readonly #thread = new Worker(new URL("./client.ts", import.meta.url));

  async run(order: Order): Promise<Round> {
    const [round] = await this.together([order]);
    if (round === undefined) throw new Error("a round has no result");
    return round;
  }

  /** Runs all orders at the same time, in one thread. */
  together(orders: Order[]): Promise<Round[]> {
    return new Promise((resolve, reject) => {
      this.#thread.once("error", reject);
      this.#thread.once("message", (rounds: Round[]) => {
        this.#thread.off("error", reject);
        resolve(rounds);
      });
      this.#thread.postMessage(orders);
    });
  }

  stop(): Promise<number> {
    return this.#thread.terminate();
  }
}
