/** Composes the Worker: HTTP, queues, cron and the Durable Objects. */
import { respond } from "./app.ts";
import type { Bindings } from "./bindings.ts";
import { boundedForBackground } from "./bounded.ts";
import { readSettings } from "./env.ts";
import { consumeDeadLetters } from "./forwarding/dead-letters.ts";
import { forwardBatch } from "./forwarding/files-consumer.ts";
import { runScheduled } from "./maintenance/cron.ts";
import type { EndpointWakeUp, FileWakeUp } from "./messages.ts";
import { consumeDeadWakeUps, deliverBatch } from "./outbound/deliveries-consumer.ts";

export { RequestLog } from "./evidence/request-log.ts";
export { ForwardingGovernor } from "./forwarding/circuit-breaker.ts";
export { ConnectionGate } from "./gate/connection-gate.ts";
export { GatewayWatch } from "./watch/gateway-watch.ts";

/** The suffix of the queues of the staging environment. */
const SUFFIX = /-staging$/;

export default {
  fetch: respond,
  async queue(batch, bindings) {
    const env = boundedForBackground(bindings);
    switch (batch.queue.replace(SUFFIX, "")) {
      case "audit1-files":
        return forwardBatch(batch as MessageBatch<FileWakeUp>, env, readSettings(env));
      case "audit1-files-dead":
        return consumeDeadLetters(batch as MessageBatch<FileWakeUp>, env);
      case "audit1-deliveries":
        return deliverBatch(batch as MessageBatch<EndpointWakeUp>, env, readSettings(env), "quick");
      case "audit1-deliveries-slow":
        return deliverBatch(batch as MessageBatch<EndpointWakeUp>, env, readSettings(env), "slow");
      case "audit1-deliveries-new":
        return deliverBatch(batch as MessageBatch<EndpointWakeUp>, env, readSettings(env), "new");
      case "audit1-deliveries-dead":
        return consumeDeadWakeUps(batch as MessageBatch<EndpointWakeUp>, env);
      default:
        throw new Error(`no consumer is known for the queue ${batch.queue}`);
    }
  },
  scheduled: (controller, env) =>
    runScheduled(controller.cron, controller.scheduledTime, boundedForBackground(env)),
} satisfies ExportedHandler<Bindings, FileWakeUp | EndpointWakeUp>;
