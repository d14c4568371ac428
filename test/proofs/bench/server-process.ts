/** Servers on loopback in their own processes, which record requests until they are asked for them. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** `T` is what it keeps of a request. */
export class ServerProcess<T> {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Runs a module that serves with {@link Kept.serve}. */
  static async start<T>(file: string, args: string[] = []): Promise<ServerProcess<T>> {
    const process = fork(file, args);
    const [port] = await once(process, "message");
    return new ServerProcess<T>(process, Number(port));
  }

  /** Returns the requests received since the last call, once there are `count`. Rejects after a timeout. */
  async take(count: number, limitMs: number): Promise<T[]> {
    const taken = once(this.#process, "message", { signal: AbortSignal.timeout(limitMs) });
    this.#process.send({ take: count });
    try {
      const [received] = await taken;
      return received as T[];
    } catch (error) {
      throw new Error(`${count} requests did not arrive within ${limitMs} ms`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    if (this.#process.exitCode === null) await once(this.#process, "exit");
  }
}

/** The records of such a process, by name. A repeated name counts once. */
export class Kept<T> {
  readonly #received = new Map<string, T>();
  #wanted: number | null = null;

  get size(): number {
    return this.#received.size;
  }

  add(name: string, received: T): void {
    if (!this.#received.has(name)) this.#received.set(name, received);
    this.#handOver();
  }

  /** Serves, says on which port, and hands over when asked, until nobody is there to ask. */
  serve(server: Server): void {
    server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
    process.on("message", ({ take }: { take: number }) => {
      this.#wanted = take;
      this.#handOver();
    });
    process.once("disconnect", () => process.exit(0));
  }

  #handOver(): void {
    if (this.#wanted === null || this.#received.size < this.#wanted) return;
    process.send?.([...this.#received.values()]);
    this.#received.clear();
    this.#wanted = null;
  }
}
