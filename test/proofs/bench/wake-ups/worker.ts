/** Counts woken endpoints, and returns the count since the last call. Locally there is a single isolate. */
import type { EndpointWakeUp } from "../../../../src/messages.ts";

const woken = new Set<string>();

export default {
  fetch() {
    const count = woken.size;
    woken.clear();
    return Response.json(count);
  },
  queue(batch) {
    for (const { body } of batch.messages) for (const id of body.webhook_ids) woken.add(id);
  },
} satisfies ExportedHandler<unknown, EndpointWakeUp>;
