/** Composes the Worker: HTTP, queues, cron, and the durable objects. */
import { respond } from "./app.ts";
import { type Bindings, readSettings } from "./env.ts";
import { forwardBatch } from "./forwarding/consumer.ts";
import { consumeDeadLetters } from "./forwarding/dead-letters.ts";
import type { WakeUp } from "./gate/protocol.ts";
import { runScheduled } from "./scheduled.ts";

export { ForwardingGovernor } from "./forwarding/governor.ts";
export { ConnectionGate } from "./gate/connection-gate.ts";

const FILES_QUEUE = /^audit1-files(-staging)?$/;
const DEAD_LETTER_QUEUE = /^audit1-files-dead(-staging)?$/;

export default {
  fetch: respond,
  async queue(batch, env) {
    if (FILES_QUEUE.test(batch.queue)) return forwardBatch(batch, env, readSettings(env));
    if (DEAD_LETTER_QUEUE.test(batch.queue)) return consumeDeadLetters(batch, env);
    throw new Error(`no consumer is known for the queue ${batch.queue}`);
  },
  scheduled: (controller, env) => runScheduled(controller.cron, controller.scheduledTime, env),
} satisfies ExportedHandler<Bindings, WakeUp>;
