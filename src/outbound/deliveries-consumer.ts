/**
 * The consumer of the delivery queues. For each endpoint: acquire its lease, send its due deliveries, record the attempts, release
 * the lease.
 *
 * The rows say what is due. A message only names endpoints to look at, so lost, repeated and late messages do no harm. An attempt
 * that could not be recorded is made again, and receivers drop the repeat by its id.
 */

import type { Bindings } from "../bindings.ts";
import { inParallel, Semaphore } from "../concurrency.ts";
import type { Settings } from "../env.ts";
import { logError } from "../log.ts";
import { type Endpoint, type EndpointWakeUp, endpointWakeUp, type Lane, wakeEndpoints } from "../messages.ts";
import { raiseDeadLetters } from "../raised-conditions.ts";
import { deliverEndpoint } from "./deliver-endpoint.ts";

/** The platform lets six requests per invocation wait for response headers at a time. */
const MAX_IN_FLIGHT = 6;
/** After this an invocation gives no endpoint another turn, so that messages that arrived meanwhile do not wait. */
const INVOCATION_MS = 2_000;
/** How long a message is delayed whose endpoints could not be delivered to. */
const RETRY_S = 30;

/** `lane` is the lane of the batch's queue. Every message settles on its own. */
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
    if (!body.success)
      logError("skipped a malformed message of a delivery queue", { message_id: message.id });
    for (const id of body.data?.webhook_ids ?? []) named.set(id, [...(named.get(id) ?? []), message]);
  }

  const again: Endpoint[] = [];
  let round = [...named.keys()];
  while (round.length > 0) {
    const more: string[] = [];
    await inParallel(round, MAX_IN_FLIGHT, async (id) => {
      try {
        const left = await deliverEndpoint(id, { env, settings, slots, lane });
        if (left === null) return;
        // A new endpoint that has just answered in time delays no other endpoint of this queue.
        const fits = left.lane === lane || (lane === "new" && left.lane === "quick");
        const stays = fits && left.delayMs === undefined && Date.now() < startedAt + INVOCATION_MS;
        if (stays) more.push(id);
        // A slow endpoint does not wait for others that hang.
        else if (lane === "slow") await wakeEndpoints(env, [left]);
        else again.push(left);
      } catch (error) {
        logError("failed to deliver to an endpoint", { webhook_id: id }, error);
        for (const message of named.get(id) ?? []) failed.add(message);
      }
    });
    round = more;
  }

  try {
    await wakeEndpoints(env, again);
  } catch (error) {
    logError("failed to wake endpoints again", { endpoints: again.length }, error);
    for (const { id } of again) for (const message of named.get(id) ?? []) failed.add(message);
  }
  for (const message of batch.messages) {
    if (failed.has(message)) message.retry({ delaySeconds: RETRY_S });
    else message.ack();
  }
}

/** A message arrives here after the consumer has died with it repeatedly. The minute cron wakes its endpoints anyway. */
export async function consumeDeadWakeUps(batch: MessageBatch<EndpointWakeUp>, env: Bindings): Promise<void> {
  for (const message of batch.messages) {
    const body = endpointWakeUp.safeParse(message.body);
    logError("failed to deliver in an earlier run: the consumer died with these endpoints", {
      message_id: message.id,
      webhooks: body.data?.webhook_ids.join(","),
    });
    message.ack();
  }
  await raiseDeadLetters(env, "deliveries", batch);
}
