/** Lists an owner's events: each in its envelope, in the order in which they were stored. */
import * as z from "zod";
import { eventDataContext } from "../crypto/contexts.ts";
import type { KeyRing } from "../crypto/vault.ts";
import { listEvents, seqAt, storedAt } from "../db/events.ts";
import { findOwnerKey, type OwnerAddress, tryUnsealText } from "../db/owner-keys.ts";
import { encodeCursor, pageFields } from "../http/page.ts";
import { timeParameter } from "../http/time-parameter.ts";
import type { Environment } from "../model.ts";
import { type Envelope, envelopeOf, isEventType } from "./event-types.ts";

const LIST = "events";

/** `since` compares with the time of storing, the `received_at` of each event, so that no late event is missed. */
export const eventListFields = {
  since: timeParameter.optional(),
  ...pageFields(LIST, z.int().nonnegative()),
};

export interface EventListQuery {
  since?: string | undefined;
  limit: number;
  cursor?: number | undefined;
}

export async function readEvents(
  db: D1Database,
  ring: KeyRing,
  { owner, environment }: { owner: OwnerAddress; environment: Environment },
  { since, limit, cursor }: EventListQuery,
): Promise<{ events: (Envelope & { received_at: string })[]; next_cursor: string | null }> {
  const after = cursor ?? (since === undefined ? 0 : seqAt(Math.max(0, Date.parse(since))) - 1);
  const { rows, goesOn } = await listEvents(db, owner, environment, after, limit);
  const last = rows.at(-1);
  if (last === undefined) return { events: [], next_cursor: null };
  const found = await findOwnerKey(db, ring, owner);
  const opened = await Promise.all(
    rows.map(async ({ seq, id, type, created_at: createdAt, source, data }) => {
      if (!isEventType(type)) throw new Error("an event has an unknown type");
      const text = await tryUnsealText(found?.key ?? null, data, eventDataContext(environment, id));
      if (text === null) return null;
      const facts = { id, type, createdAt, source, environment, sequence: seq };
      const value: unknown = JSON.parse(text);
      return { ...envelopeOf(facts, value), received_at: new Date(storedAt(seq)).toISOString() };
    }),
  );
  const events = opened.filter((event) => event !== null);
  return { events, next_cursor: goesOn ? encodeCursor(LIST, last.seq) : null };
}
