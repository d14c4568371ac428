/** Finds the object or owner whose counts a query asks for, within the client's scope. Another owner's object does not exist. */
import { getApiKey } from "../../db/api-keys.ts";
import { getAnyConnection, ownersOfConnections } from "../../db/managed-connections.ts";
import { getAnyWebhook } from "../../db/webhooks.ts";
import type { AppContext } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import {
  API_KEY_PREFIX,
  type GateAddress,
  type GateKind,
  type OwnerType,
  objectIdOf,
  parseWebhookId,
} from "../../model.ts";
import { err, ok, type Result } from "../../result.ts";
import type { ScopeKind, Scopes } from "../../usage/usage-series.ts";
import { notFound } from "../change.ts";
import { actsForEverybody, type Owner, ownerOf, withinScope } from "../owner.ts";
import type { Measure, Split, Subject } from "./measures.ts";
import type { MetricQuery } from "./metric-contract.ts";

/** One object, some of one kind, one owner, or everything. */
export type Target =
  | { of: "object"; scope: string; gate: GateAddress | null }
  | { of: "objects"; scopes: string[] }
  | { of: "owner"; owner: Owner }
  | { of: "all" };

interface Named {
  kind: "connection" | "api_key" | "webhook";
  /** The subject that such an object has counts of. */
  subject: Subject;
  scope: string;
  /** Of the object, which counts requests. Null if it has none. */
  gate: GateKind | null;
  /** The bare id, or null. */
  id(text: string): string | null;
  find(db: D1Database, id: string): Promise<{ owner_type: OwnerType; owner_id: string } | null>;
}

const OBJECTS = {
  connection_id: {
    kind: "connection",
    subject: "reports",
    scope: "connection",
    gate: "connection",
    id: (text) => objectIdOf(text, ""),
    find: getAnyConnection,
  },
  api_key_id: {
    kind: "api_key",
    subject: "reports",
    scope: "key",
    gate: "key",
    id: (text) => objectIdOf(text, API_KEY_PREFIX),
    find: getApiKey,
  },
  webhook_id: {
    kind: "webhook",
    subject: "deliveries",
    scope: "webhook",
    gate: null,
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
  if (query.connection_ids !== undefined) {
    if (first !== undefined) return { connection_ids: `Name connections either here or in ${first}` };
    if (by !== "connection") return { connection_ids: "Only with by=connection" };
  }
  if (second !== undefined) return { [second]: `Name one object; ${first} names another` };
  if (first !== undefined && (OBJECTS[first].subject !== measure.of || !isCounted(measure)))
    return { [first]: `${query.measure} is not counted for one ${OBJECTS[first].kind}` };
  if (target === "object" && OF_MANY.includes(by))
    return { by: `One ${first?.replace(/_id$/, "")} cannot be split by ${by}` };
  if (query.granularity === "minute") {
    const isCountedByGate = ["accepted", "duplicate", "refused"].includes(query.measure);
    if (!isCountedByGate || first === undefined || first === "webhook_id")
      return { granularity: "minute is for accepted, duplicate and refused of one connection or API key" };
    if (query.environment !== undefined)
      return { environment: "Minutes are counted whatever the environment: leave it out" };
    if (by === "environment") return { by: "Minutes are counted whatever the environment" };
  }
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
    const { kind, scope, gate, id: parse, find }: Named = OBJECTS[field];
    const id = parse(text);
    const row = id === null ? null : await find(c.env.DB, id);
    if (id === null || row === null || !withinScope(client, row)) return err(notFound(kind));
    return ok({ of: "object", scope: `${scope}:${id}`, gate: gate && { kind: gate, id } });
  }
  if (query.connection_ids !== undefined) return connectionsNamed(c, query.connection_ids);
  if (actsForEverybody(client)) return ok({ of: "all" });
  const owned = ownerOf(client, query);
  return owned.ok ? ok({ of: "owner", owner: owned.value }) : owned;
}

/** `text`: ids, separated by commas. Each must be within the client's scope. */
async function connectionsNamed(c: AppContext, text: string): Promise<Result<Target, Failure>> {
  const ids = [...new Set(text.toLowerCase().split(","))];
  const owners = await ownersOfConnections(c.env.DB, ids);
  const areAllWithin =
    owners.length === ids.length && owners.every((row) => withinScope(c.get("client"), row));
  return areAllWithin
    ? ok({ of: "objects", scopes: ids.map((id) => `connection:${id}`) })
    : err(notFound("connection"));
}

/** Selects the rows of the table `usage` that answer the query. */
export function scopesOf(target: Target, { by, cursor, limit }: MetricQuery): Scopes {
  if (target.of === "objects") return { scopes: target.scopes, after: cursor ?? null, limit };
  const owner = target.of === "owner" ? `${target.owner.type}:${target.owner.id}` : null;
  if (OF_MANY.includes(by)) return { kind: by as ScopeKind, owner, after: cursor ?? null, limit };
  return { scope: target.of === "object" ? target.scope : owner === null ? "all" : `owner:${owner}` };
}
