/**
 * Wake-ups for the delivery consumer. They name endpoints, not deliveries: whoever takes an endpoint finds what is due in the
 * rows. A wake-up that is repeated finds nothing to do, and one that is lost is made up for by the minute cron.
 */
import * as z from "zod";
import { logError } from "../log.ts";

export const endpointWakeUp = z.object({ webhook_ids: z.array(z.string()).min(1).max(100) });
export type EndpointWakeUp = z.infer<typeof endpointWakeUp>;

/** Endpoints named by one wake-up: few, so that many invocations share them. */
const ENDPOINTS_PER_WAKE_UP = 10;
/** The queue's limit for one send. */
const MESSAGES_PER_SEND = 100;

/** An endpoint, and whether it answers too slowly to share a queue with others. */
export interface Endpoint {
  id: string;
  slow: boolean;
}

export interface WakeUpQueues {
  DELIVERIES: Queue<EndpointWakeUp>;
  DELIVERIES_SLOW: Queue<EndpointWakeUp>;
}

/** How many messages wait behind what was sent, in the fuller of the two queues. Rejects when a queue takes nothing. */
export async function wakeEndpoints(
  queues: WakeUpQueues,
  endpoints: Iterable<Endpoint>,
): Promise<{ backlog: number }> {
  const quick: string[] = [];
  const slow: string[] = [];
  for (const endpoint of endpoints) (endpoint.slow ? slow : quick).push(endpoint.id);
  return {
    backlog: Math.max(await send(queues.DELIVERIES, quick), await send(queues.DELIVERIES_SLOW, slow)),
  };
}

/** As {@link wakeEndpoints}, for who has nothing to add: the minute cron makes up for what was not sent. Never rejects. */
export async function tryWakeEndpoints(queues: WakeUpQueues, endpoints: readonly Endpoint[]): Promise<void> {
  try {
    await wakeEndpoints(queues, endpoints);
  } catch (error) {
    logError("endpoints were not woken", { endpoints: endpoints.length }, error);
  }
}

async function send(queue: Queue<EndpointWakeUp>, ids: readonly string[]): Promise<number> {
  const messages: MessageSendRequest<EndpointWakeUp>[] = [];
  for (let i = 0; i < ids.length; i += ENDPOINTS_PER_WAKE_UP)
    messages.push({ body: { webhook_ids: ids.slice(i, i + ENDPOINTS_PER_WAKE_UP) } });
  let backlog = 0;
  for (let i = 0; i < messages.length; i += MESSAGES_PER_SEND) {
    const { metadata } = await queue.sendBatch(messages.slice(i, i + MESSAGES_PER_SEND));
    backlog = metadata.metrics.backlogCount;
  }
  return backlog;
}
