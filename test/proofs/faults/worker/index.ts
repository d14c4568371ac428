/** The production Worker with bindings that fail: the same handlers and objects. */
import type { Bindings } from "../../../../src/bindings.ts";
import production from "../../../../src/index.ts";
import type { EndpointWakeUp, FileWakeUp } from "../../../../src/messages.ts";
import { breaking } from "./bindings.ts";
import { control } from "./control.ts";
import { suffer } from "./queue.ts";

export { RequestLog } from "../../../../src/evidence/request-log.ts";
export { ForwardingGovernor } from "../../../../src/forwarding/circuit-breaker.ts";
export { GatewayWatch } from "../../../../src/watch/gateway-watch.ts";
export { ConnectionGate } from "./gate.ts";

export default {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname.startsWith("/__faults/")) return control(request, env);
    return production.fetch(request, breaking(env), ctx);
  },
  queue: (batch, env, ctx) => suffer(batch, env, ctx, production.queue),
} satisfies ExportedHandler<Bindings, FileWakeUp | EndpointWakeUp>;
