/** Finds the object or owner whose counts a query asks for, within the client's scope. Another owner's object does not exist. */
import { getApiKey } from "../../db/api-keys.ts";
import { getAnyConnection } from "../../db/managed-connections.ts";
import { getAnyWebhook } from "../../db/webhooks.ts";
import type { AppContext } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { API_KEY_PREFIX, type OwnerType, objectIdOf, parseWebhookId } from "../../model.ts";
import { err, ok, type Result } from "../../result.ts";
import type { ScopeKind, Scopes } from "../../usage/usage-series.ts";
import { notFound } from "../change.ts";
import { actsForEverybody, mayActFor, type Owner, ownerOf } from "../owner.ts";
import type { Measure, Split, Subject } from "./measures.ts";
import type { MetricQuery } from "./metric-contract.ts";

/** One object, one owner, or everything. */
export type Target = { of: "object"; scope: string } | { of: "owner"; owner: Owner } | { of: "all" };

interface Named {
  kind: "connection" | "api_key" | "webhook";
  /** The subject that such an object has counts of. */
  subject: Subject;
  scope: string;
  /** The bare id, or null. */
  id(text: string): string | null;
  find(db: D1Database, id: string): Promise<{ owner_type: OwnerType; owner_id: string } | null>;
}

const OBJECTS = {
  connection_id: {
    kind: "connection",
    subject: "reports",
    scope: "connection",
    id: (text) => objectIdOf(text, ""),
    find: getAnyConnection,
  },
  api_key_id: {
    kind: "api_key",
    subject: "reports",
    scope: "key",
    id: (text) => objectIdOf(text, API_KEY_PREFIX),
    find: getApiKey,
  },
  webhook_id: {
    kind: "webhook",
    subject: "deliveries",
    scope: "webhook",
    id: parseWebhookId,
    find: getAnyWebhook,
  },
} as const satisfies Record<string, Named>;
const FIELDS = Object.keys(OBJECTS) as (keyof typeof OBJECTS)[];

/** Splits that the counts of one object do not have. */
const OF_MANY: readonly Split[] = ["connection", "key", "webhook", "owner"];

/** The first problem of a query: its field, and a message. Null if the query can be answered. */
export function problemOf(
  measure: Measure,
  query: MetricQuery,
  target: Target["of"],
): Record<string, string> | null {
  const { by } = query;
  if (!measure.splits.includes(by))
    return { by: `${query.measure} can be split by ${measure.splits.join(", ")}` };
  const given = FIELDS.filter((field) => query[field] !== undefined);
  const [first, second] = given;
  if (second !== undefined) return { [second]: `Name one object; ${first} names another` };
  if (first !== undefined && (OBJECTS[first].subject !== measure.of || !isCounted(measure)))
    return { [first]: `${query.measure} is not counted for one ${OBJECTS[first].kind}` };
  if (target === "object" && OF_MANY.includes(by))
    return { by: `One ${first?.replace(/_id$/, "")} cannot be split by ${by}` };
  if (target === "owner" && by === "owner") return { by: "One owner cannot be split by owner" };
  return null;
}

function isCounted({ kind }: Measure): boolean {
  return kind !== "adoption" && kind !== "automation";
}

export async function targetOf(c: AppContext, query: MetricQuery): Promise<Result<Target, Failure>> {
  const client = c.get("client");
  for (const field of FIELDS) {
    const text = query[field];
    if (text === undefined) continue;
    const { kind, scope, id: parse, find }: Named = OBJECTS[field];
    const id = parse(text);
    const row = id === null ? null : await find(c.env.DB, id);
    if (row === null || !mayActFor(client, { type: row.owner_type, id: row.owner_id }))
      return err(notFound(kind));
    return ok({ of: "object", scope: `${scope}:${id}` });
  }
  if (actsForEverybody(client)) return ok({ of: "all" });
  const owned = ownerOf(client, query);
  return owned.ok ? ok({ of: "owner", owner: owned.value }) : owned;
}

/** Selects the rows of the table `usage` that answer the query. */
export function scopesOf(target: Target, { by, cursor, limit }: MetricQuery): Scopes {
  const owner = target.of === "owner" ? `${target.owner.type}:${target.owner.id}` : null;
  if (OF_MANY.includes(by)) return { kind: by as ScopeKind, owner, after: cursor ?? null, limit };
  return { scope: target.of === "object" ? target.scope : owner === null ? "all" : `owner:${owner}` };
}
