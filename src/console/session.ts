/** Who looks at the console, and what that person may do. */
import type { Session } from "../db/sessions.ts";
import type { Client } from "../http/context.ts";
import type { Capability } from "../model.ts";
import { clientOfSession } from "../portal/sessions/signed-in.ts";

/** A person's session: staff see every owner, everybody else one. */
export interface PersonSession {
  id: string;
  client: Client;
  /** Null for staff. */
  owner: NonNullable<Client["owner"]> | null;
  capability: Capability;
  /** What pages call the person. */
  person: string;
  /** Shown in a frame of a portal, without navigation. */
  embedded: boolean;
  /** ms since the epoch. */
  expiresAt: number;
}

export function personSession(row: Session): PersonSession {
  const client = clientOfSession(row);
  return {
    id: row.id,
    client,
    owner: client.owner ?? null,
    capability: row.capability,
    person: row.person ?? client.owner?.id ?? "Signed in",
    embedded: row.embedded,
    expiresAt: row.expires_at,
  };
}

export function mayManage({ capability }: PersonSession): boolean {
  return capability === "manage";
}

/** What a session that may only read is told in place of a form or button. */
export const VIEW_ONLY = "You may look, but not change anything.";
