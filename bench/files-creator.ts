/** Runs the files-creator that costs next to nothing. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { PORTAL } from "./gateway.ts";

export class FilesCreator {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(gatewayPort: number): Promise<FilesCreator> {
    const file = path.join(import.meta.dirname, "files-creator-process.ts");
    const process = fork(file, [String(gatewayPort), PORTAL.id, PORTAL.secret]);
    const [port] = await once(process, "message");
    return new FilesCreator(process, Number(port));
  }

  /** When each file was first received, by its id, once those are `count`. Rejects when they take too long. */
  async take(count: number, limitMs: number): Promise<Map<string, number>> {
    const taken = once(this.#process, "message", { signal: AbortSignal.timeout(limitMs) });
    this.#process.send({ take: count });
    const [receipts] = await taken;
    return new Map(receipts as [string, number][]);
  }

  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    if (this.#process.exitCode === null) await once(this.#process, "exit");
  }
}
