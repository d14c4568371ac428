/** What one isolate holds, as its debugger tells: the JavaScript heap and the bytes of buffers, garbage included. */

export interface Peak {
  heapMiB: number;
  buffersMiB: number;
  /** The most at any one moment; less than the sum of the others' peaks. */
  totalMiB: number;
}

const POLL_MS = 4;
/** What is left to be done after an answer: the hand-over to the files-creator. */
const AFTERWARDS_MS = 1_500;

export class IsolateMemory {
  readonly #socket: WebSocket;
  readonly #asked = new Map<number, (result: unknown) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result } = JSON.parse(String(data));
      this.#asked.get(id)?.(result);
      this.#asked.delete(id);
    });
  }

  static async open(url: string): Promise<IsolateMemory> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    return new IsolateMemory(socket);
  }

  close(): void {
    this.#socket.close();
  }

  /** Does `work` and answers the most that the isolate held meanwhile and shortly after. */
  async peakOf(work: () => Promise<unknown>): Promise<Peak> {
    const peak: Peak = { heapMiB: 0, buffersMiB: 0, totalMiB: 0 };
    let done = false;
    const watch = async () => {
      while (!done) {
        const { usedSize, backingStorageSize } = await this.#ask<{
          usedSize: number;
          backingStorageSize: number;
        }>("Runtime.getHeapUsage");
        const [heap, buffers] = [usedSize / 1024 ** 2, backingStorageSize / 1024 ** 2];
        peak.heapMiB = Math.max(peak.heapMiB, heap);
        peak.buffersMiB = Math.max(peak.buffersMiB, buffers);
        peak.totalMiB = Math.max(peak.totalMiB, heap + buffers);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    };
    const watching = watch();
    try {
      await work();
      await new Promise((resolve) => setTimeout(resolve, AFTERWARDS_MS));
    } finally {
      done = true;
      await watching;
    }
    return peak;
  }

  #ask<T>(method: string): Promise<T> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#asked.set(id, resolve as (result: unknown) => void);
    this.#socket.send(JSON.stringify({ id, method }));
    return promise;
  }
}
