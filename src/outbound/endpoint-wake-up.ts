/**
 * Wake-ups for the delivery consumer. They name endpoints, not deliveries: whoever takes an endpoint finds what is due in the
 * rows. A wake-up that is repeated finds nothing to do, and one that is lost is made up for by the minute cron.
 */
import * as z from "zod";
import { logError } from "../log.ts";
import type { Lane } from "./auto-disable.ts";

export const endpointWakeUp = z.object({ webhook_ids: z.array(z.string()).min(1).max(100) });
export type EndpointWakeUp = z.infer<typeof endpointWakeUp>;

/**
 * Endpoints named by one wake-up: few, so that many invocations share them. Slow ones, of which some hang, share an invocation only
 * with those of its batch.
 */
const ENDPOINTS_PER_WAKE_UP: Record<Lane, number> = { quick: 10, slow: 1, new: 10 };
/** The queue's limit for one send. */
const MESSAGES_PER_SEND = 100;

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

/** How many messages wait in each queue behind what was sent. Rejects when a queue takes nothing; the others are sent all the same. */
export async function wakeEndpoints(
  queues: WakeUpQueues,
  endpoints: Iterable<Endpoint>,
): Promise<Record<Lane, number>> {
  const byLane = Map.groupBy(endpoints, ({ lane }) => lane);
  const wake = (queue: Queue<EndpointWakeUp>, lane: Lane) =>
    send(queue, byLane.get(lane) ?? [], ENDPOINTS_PER_WAKE_UP[lane]);
  const [quick, slow, fresh] = await Promise.all([
    wake(queues.DELIVERIES, "quick"),
    wake(queues.DELIVERIES_SLOW, "slow"),
    wake(queues.DELIVERIES_NEW, "new"),
  ]);
  return { quick, slow, new: fresh };
}

/** As {@link wakeEndpoints}, for who has nothing to add: the minute cron makes up for what was not sent. Never rejects. */
export async function tryWakeEndpoints(queues: WakeUpQueues, endpoints: readonly Endpoint[]): Promise<void> {
  try {
    await wakeEndpoints(queues, endpoints);
  } catch (error) {
    logError("endpoints were not woken", { endpoints: endpoints.length }, error);
  }
}

async function send(
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
