/**
 * The consumer of the delivery queues: take an endpoint, send what is due for it, record what came of it, let go.
 *
 * The rows are the truth. A message only leads to what a row asks for, so lost, repeated and late messages are all the same;
 * an attempt that could not be recorded is made again, and receivers drop it by its id.
 */

import { inParallel, Semaphore } from "../concurrency.ts";
import type { Bindings, Settings } from "../env.ts";
import { logError } from "../log.ts";
import { type Endpoint, type EndpointWakeUp, endpointWakeUp, type Lane, wakeEndpoints } from "../messages.ts";
import { workOn } from "./deliver-endpoint.ts";

/** The platform lets six requests of one invocation wait for headers at a time. */
const MAX_IN_FLIGHT = 6;
/** After this an invocation takes no endpoint again: what came meanwhile is not to wait for more. */
const INVOCATION_MS = 2_000;
/** How long a message waits whose endpoints could not be worked on. */
const RETRY_S = 30;

/** `lane`: whose queue the batch comes from. Every message settles on its own. */
export async function deliverBatch(
  batch: MessageBatch<EndpointWakeUp>,
  env: Bindings,
  settings: Settings,
  lane: Lane,
): Promise<void> {
  const startedAt = Date.now();
  const slots = new Semaphore(MAX_IN_FLIGHT);
  const named = new Map<string, Message<EndpointWakeUp>[]>();
  const failed = new Set<Message<EndpointWakeUp>>();
  for (const message of batch.messages) {
    const body = endpointWakeUp.safeParse(message.body);
    if (!body.success) logError("a message of a delivery queue is not a wake-up", { message_id: message.id });
    for (const id of body.data?.webhook_ids ?? []) named.set(id, [...(named.get(id) ?? []), message]);
  }

  const again: Endpoint[] = [];
  let round = [...named.keys()];
  while (round.length > 0) {
    const more: string[] = [];
    await inParallel(round, MAX_IN_FLIGHT, async (id) => {
      try {
        const left = await workOn(id, { env, settings, slots, lane });
        if (left === null) return;
        // A new endpoint that has just answered in time holds up nobody here.
        const fits = left.lane === lane || (lane === "new" && left.lane === "quick");
        const stays = fits && left.delayMs === undefined && Date.now() < startedAt + INVOCATION_MS;
        if (stays) more.push(id);
        // One that is slow does not wait for those that hang beside it.
        else if (lane === "slow") await wakeEndpoints(env, [left]);
        else again.push(left);
      } catch (error) {
        logError("an endpoint could not be worked on", { webhook_id: id }, error);
        for (const message of named.get(id) ?? []) failed.add(message);
      }
    });
    round = more;
  }

  try {
    await wakeEndpoints(env, again);
  } catch (error) {
    logError("endpoints were not woken again", { endpoints: again.length }, error);
    for (const { id } of again) for (const message of named.get(id) ?? []) failed.add(message);
  }
  for (const message of batch.messages) {
    if (failed.has(message)) message.retry({ delaySeconds: RETRY_S });
    else message.ack();
  }
}

/** A message comes here when the consumer died with it again and again. The minute cron wakes its endpoints on its own. */
export function consumeDeadWakeUps(batch: MessageBatch<EndpointWakeUp>): void {
  for (const message of batch.messages) {
    const body = endpointWakeUp.safeParse(message.body);
    logError("the delivery consumer died with these endpoints", {
      message_id: message.id,
      webhooks: body.data?.webhook_ids.join(","),
    });
    message.ack();
  }
}
