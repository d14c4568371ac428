/**
 * The messages of both kinds of queue: their schemas, and how they are chunked and sent.
 *
 * A wake-up carries ids only: the rows that it points to say what is due. A repeated wake-up finds nothing to do. A lost one
 * costs a minute: the gate's alarm wakes its files again, and the minute cron the endpoints.
 */
import * as z from "zod";
import { chunks } from "./chunks.ts";
import { logError } from "./log.ts";

/** The platform's limit for one `sendBatch`. */
const MESSAGES_PER_SEND = 100;

/** Names files, of one gate or several, that may need forwarding. */
export const fileWakeUp = z.object({
  file_ids: z.array(z.string()).min(1).max(100),
  /** In the order of `file_ids`: how long each took from its request's arrival to the acceptance, ms. Absent from a gate's wake-ups. */
  accepted_ms: z.array(z.number()).optional().catch(undefined),
});
export type FileWakeUp = z.infer<typeof fileWakeUp>;

/** Files named by one wake-up. Ten messages make a batch, which must end within the lease. */
const FILES_PER_WAKE_UP = 10;

/** How long a report may wait for others to share its send, which costs a tenth of an acceptance. */
const COALESCE_MS = 20;
/** After this long, the next request takes over from one that died before it sent. */
const OVERDUE_MS = 100;

/** Coalesces wake-ups in the isolate: many accepted reports, one send. */
export class WakeUps {
  #pending: { fileId: string; acceptedMs: number }[] = [];
  /** When the pending ids are due to be sent; 0 when nothing is pending. A time, not a flag, so that a request that died cannot leave it set. */
  #sendingAt = 0;

  /**
   * Resolves once the id is sent. Undefined if another request is due to send it. Never rejects. `acceptedMs`: how long the
   * acceptance took; the consumer passes it on to the gate, which was not told before it answered.
   */
  add(fileId: string, acceptedMs: number, queue: Queue<FileWakeUp>): Promise<void> | undefined {
    this.#pending.push({ fileId, acceptedMs });
    const now = Date.now();
    if (this.#sendingAt !== 0 && now < this.#sendingAt + OVERDUE_MS) return undefined;
    this.#sendingAt = now + COALESCE_MS;
    return this.#sendSoon(queue);
  }

  async #sendSoon(queue: Queue<FileWakeUp>): Promise<void> {
    await scheduler.wait(COALESCE_MS);
    this.#sendingAt = 0;
    await this.flush(queue);
  }

  /** Sends the pending ids now. Never rejects: the gates' alarms wake the files that this call could not. */
  async flush(queue: Queue<FileWakeUp>): Promise<void> {
    const sorted = this.#pending.sort((a, b) => (a.fileId < b.fileId ? -1 : 1));
    this.#pending = [];
    const messages: FileWakeUp[] = chunks(sorted, FILES_PER_WAKE_UP).map((files) => ({
      file_ids: files.map(({ fileId }) => fileId),
      accepted_ms: files.map(({ acceptedMs }) => acceptedMs),
    }));
    for (let i = 0; i < messages.length; i += MESSAGES_PER_SEND) {
      try {
        await queue.sendBatch(messages.slice(i, i + MESSAGES_PER_SEND).map((body) => ({ body })));
      } catch (error) {
        logError("failed to send wake-ups", { messages: messages.length }, error);
      }
    }
  }
}

/** The fewest messages that name all files, sorted so that the files of one gate share a message. */
export function wakeUpsFor(fileIds: readonly string[]): FileWakeUp[] {
  return chunks(fileIds.toSorted(), FILES_PER_WAKE_UP).map((ids) => ({ file_ids: ids }));
}

/** Names the endpoints that may have due deliveries. */
export const endpointWakeUp = z.object({ webhook_ids: z.array(z.string()).min(1).max(100) });
export type EndpointWakeUp = z.infer<typeof endpointWakeUp>;

/**
 * The three queues that endpoints share. `slow`: endpoints that answered too late lately. `new`: endpoints that have not yet
 * answered in time. `quick`: all others.
 */
export const LANES = ["quick", "slow", "new"] as const;
export type Lane = (typeof LANES)[number];

/**
 * Endpoints per wake-up. Few, so that many invocations share the work. Slow endpoints, some of which hang, share an invocation
 * only with the rest of its batch.
 */
const ENDPOINTS_PER_WAKE_UP: Record<Lane, number> = { quick: 10, slow: 1, new: 10 };

export interface Endpoint {
  id: string;
  lane: Lane;
  /** How long the wake-up waits in its queue. */
  delayMs?: number;
}

export interface WakeUpQueues {
  DELIVERIES: Queue<EndpointWakeUp>;
  DELIVERIES_SLOW: Queue<EndpointWakeUp>;
  DELIVERIES_NEW: Queue<EndpointWakeUp>;
}

/** Resolves with the backlog of each queue after the send. Rejects if one queue fails; the other queues are sent to regardless. */
export async function wakeEndpoints(
  queues: WakeUpQueues,
  endpoints: Iterable<Endpoint>,
): Promise<Record<Lane, number>> {
  const byLane = Map.groupBy(endpoints, ({ lane }) => lane);
  const wake = (queue: Queue<EndpointWakeUp>, lane: Lane) =>
    sendEndpoints(queue, byLane.get(lane) ?? [], ENDPOINTS_PER_WAKE_UP[lane]);
  const [quick, slow, fresh] = await Promise.all([
    wake(queues.DELIVERIES, "quick"),
    wake(queues.DELIVERIES_SLOW, "slow"),
    wake(queues.DELIVERIES_NEW, "new"),
  ]);
  return { quick, slow, new: fresh };
}

/** Like {@link wakeEndpoints}, but never rejects: the minute cron wakes the endpoints that this call could not. */
export async function tryWakeEndpoints(queues: WakeUpQueues, endpoints: readonly Endpoint[]): Promise<void> {
  try {
    await wakeEndpoints(queues, endpoints);
  } catch (error) {
    logError("failed to wake endpoints", { endpoints: endpoints.length }, error);
  }
}

async function sendEndpoints(
  queue: Queue<EndpointWakeUp>,
  endpoints: readonly Endpoint[],
  perWakeUp: number,
): Promise<number> {
  const messages: MessageSendRequest<EndpointWakeUp>[] = [];
  const now = endpoints.filter(({ delayMs }) => delayMs === undefined).map(({ id }) => id);
  for (let i = 0; i < now.length; i += perWakeUp)
    messages.push({ body: { webhook_ids: now.slice(i, i + perWakeUp) } });
  for (const { id, delayMs } of endpoints)
    if (delayMs !== undefined)
      messages.push({ body: { webhook_ids: [id] }, delaySeconds: Math.ceil(delayMs / 1_000) });
  let backlog = 0;
  for (let i = 0; i < messages.length; i += MESSAGES_PER_SEND) {
    const { metadata } = await queue.sendBatch(messages.slice(i, i + MESSAGES_PER_SEND));
    backlog = metadata.metrics.backlogCount;
  }
  return backlog;
}
