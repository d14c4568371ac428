/** How the portal shows the author of a change. */
import type { AuditRow } from "../db/audit.ts";
import type { Client } from "../http/context.ts";

/** An owner's client learns that Audit1 made the change, but not the person's address. */
export function shownActor({ actor }: Pick<AuditRow, "actor">, client: Client): string {
  return client.owner === undefined ? actor : actor.replace(/^access:.*$/s, "access");
}
