/**
 * Wake-ups for the forwarding consumer, coalesced in the isolate: many answers, one send. They carry file ids only, and a
 * lost one costs a minute, because the gate's alarm sends another.
 */

import { FILES_PER_WAKE_UP } from "../gate/maintenance.ts";
import type { WakeUp } from "../gate/protocol.ts";
import { logError } from "../log.ts";

/** A report may wait this long for others to be woken with: a send costs as much as a tenth of an acceptance. */
const COALESCE_MS = 20;
/** A request that was to send and died is replaced by the next one after this. */
const OVERDUE_MS = 100;
/** The queue's limit for one send. */
const MESSAGES_PER_SEND = 100;

export class WakeUps {
  #pending: string[] = [];
  /** When somebody is due to send; 0 when nobody is. A time, not a flag: it cannot be left standing by a request that died. */
  #sendingAt = 0;

  /** Undefined when another request is due to send this id too; else resolves when it was sent. Never rejects. */
  add(fileId: string, queue: Queue<WakeUp>): Promise<void> | undefined {
    this.#pending.push(fileId);
    const now = Date.now();
    if (this.#sendingAt !== 0 && now < this.#sendingAt + OVERDUE_MS) return undefined;
    this.#sendingAt = now + COALESCE_MS;
    return this.#sendSoon(queue);
  }

  async #sendSoon(queue: Queue<WakeUp>): Promise<void> {
    await scheduler.wait(COALESCE_MS);
    this.#sendingAt = 0;
    await this.flush(queue);
  }

  /** Sends what is pending, now. Never rejects: what could not be sent is left to the alarms. */
  async flush(queue: Queue<WakeUp>): Promise<void> {
    const messages = wakeUpsFor(this.#pending);
    this.#pending = [];
    for (let i = 0; i < messages.length; i += MESSAGES_PER_SEND) {
      try {
        await queue.sendBatch(messages.slice(i, i + MESSAGES_PER_SEND).map((body) => ({ body })));
      } catch (error) {
        logError("wake-ups were not sent", { messages: messages.length }, error);
      }
    }
  }
}

/** As few messages as may be. Sorted, files of one gate stand together. */
export function wakeUpsFor(fileIds: readonly string[]): WakeUp[] {
  const sorted = fileIds.toSorted();
  const messages: WakeUp[] = [];
  for (let i = 0; i < sorted.length; i += FILES_PER_WAKE_UP)
    messages.push({ file_ids: sorted.slice(i, i + FILES_PER_WAKE_UP) });
  return messages;
}
