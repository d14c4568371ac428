/** What the gates of connections know beside their rows. */
import type { Bindings } from "../../bindings.ts";
import type { ManagedConnection } from "../../db/managed-connections.ts";
import type { GateActivity } from "../../gate/protocol.ts";
import { logError } from "../../log.ts";
import { gateName } from "../../model.ts";

/** Of each connection, in the same order. Null for one whose gate does not answer: the row is shown all the same. */
export function activitiesOf(
  env: Bindings,
  rows: readonly Pick<ManagedConnection, "id">[],
): Promise<(GateActivity | null)[]> {
  return Promise.all(
    rows.map(async ({ id }) => {
      try {
        return await env.CONNECTION_GATE.getByName(gateName({ kind: "connection", id })).activity();
      } catch (error) {
        logError("failed to ask a gate for its activity", { connection_id: id }, error);
        return null;
      }
    }),
  );
}
