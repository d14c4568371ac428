/**
 * Creating requests: `POST` of connections, webhooks and API keys, with and without an `Idempotency-Key`.
 *
 * With a key, the same body answers the same object for 24 hours, within one client, route and owner; another body is 409.
 * The batch that inserts the object decides who made it, so that of two requests at once one makes it and both answer it. Its
 * secret is answered again until it was rotated, deactivated, deleted or used; from then on the object comes without it.
 */
import { sha256Hex, utf8 } from "../crypto/encoding.ts";
import { type DataKey, fingerprint } from "../crypto/vault.ts";
import type { AuditRow } from "../db/audit.ts";
import { type Creation, findCreation, type Inserted } from "../db/creations.ts";
import { type AppContext, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { idempotencyKey } from "../http/idempotency-key.ts";
import type { Result } from "../result.ts";
import { createdRow, type Managed, type ManagedKind } from "./change.ts";
import type { Owner } from "./owner.ts";

/** A new object, not yet stored. */
export interface Made<Row> {
  row: Row;
  secret: string;
  /** Under which the object's secrets rest. */
  dataKey: DataKey;
  /** An API key's token, sealed. */
  sealedToken: string | null;
  insert(auditRow: AuditRow, creation: Creation | null): Promise<Inserted>;
  /** Why it was not inserted; null where another one may be. */
  whyRefused(): Promise<Failure | null>;
}

/** An owner can be erased while something of it is being made, but not time and again. */
const MAX_ATTEMPTS = 3;

export interface Creatable<Row extends Managed> {
  managed: Pick<ManagedKind<Row, Partial<Row>>, "kind" | "audited">;
  /** Deleted and inactive ones too. */
  find(c: AppContext, id: string): Promise<Row | null>;
  /** Null where it has been erased. */
  dataKey(c: AppContext, row: Row): Promise<DataKey | null>;
  /** The secret that a repeat answers; null where the object is not active, or somebody has used the secret. */
  secretOf(c: AppContext, row: Row, sealedToken: string | null, dataKey: DataKey): Promise<string | null>;
  /** Asks nothing of D1 where there is a `dataKey`: what has been made is answered. */
  present(c: AppContext, row: Row, secret: Secret, dataKey: DataKey | null): Response | Promise<Response>;
}

/** The part of an answer that says what became of the secret. */
export type Secret = { secret: string } | { secret_unavailable: true };

/** `body` is the request's, as it was parsed; `make` is asked for an object where the request has not made one before. */
export async function create<Row extends Managed>(
  c: AppContext,
  kind: Creatable<Row>,
  { owner, body }: { owner: Owner; body: unknown },
  make: () => Promise<Result<Made<Row>, Failure>>,
): Promise<Response> {
  const key = idempotencyKey(c.req.raw.headers);
  if (!key.ok) return failureResponse(c, key.error);
  const name = key.value === null ? null : await nameOf(c, kind, key.value);
  const earlier = name === null ? null : await findCreation(c.env.DB, owner, name, Date.now());
  if (earlier !== null) return repeat(c, kind, earlier, body);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const making = await make();
    if (!making.ok) return failureResponse(c, making.error);
    const made = making.value;
    const creation = name === null ? null : await creationOf(name, made, body);
    const inserted = await made.insert(createdRow(c, kind.managed, made.row), creation);
    if (inserted.outcome === "made_before") return repeat(c, kind, inserted.earlier, body);
    if (inserted.outcome === "inserted")
      return kind.present(c, made.row, { secret: made.secret }, made.dataKey);
    const refused = await made.whyRefused();
    if (refused !== null) return failureResponse(c, refused);
  }
  return failureResponse(c, { kind: "owner_erased_meanwhile" });
}

/** For objects that are inserted without a condition. */
export function neverRefused(): Promise<never> {
  return Promise.reject(new Error("a new object was not stored"));
}

async function repeat<Row extends Managed>(
  c: AppContext,
  kind: Creatable<Row>,
  { object_id: id, body_mac: mac, secret_ended: ended, sealed_token: token }: Creation,
  body: unknown,
): Promise<Response> {
  const row = await kind.find(c, id);
  if (row === null)
    throw new Error(`a ${kind.managed.kind} is gone that a request made in the last 24 hours`);
  const dataKey = await kind.dataKey(c, row);
  if (dataKey !== null && (await macOf(dataKey, body)) !== mac)
    return failureResponse(c, { kind: "creation_key_reused" });
  const secret = ended || dataKey === null ? null : await kind.secretOf(c, row, token, dataKey);
  c.header("Idempotent-Replayed", "true");
  return kind.present(c, row, secret === null ? { secret_unavailable: true } : { secret }, dataKey);
}

/** Who asked for what under which key, in one word: a person's e-mail address is among it. */
function nameOf<Row extends Managed>(c: AppContext, kind: Creatable<Row>, key: string): Promise<string> {
  return sha256Hex(JSON.stringify([c.get("client").actor, kind.managed.kind, key]));
}

async function creationOf<Row extends Managed>(
  name: string,
  { row, dataKey, sealedToken }: Made<Row>,
  body: unknown,
): Promise<Creation> {
  return {
    owner_type: row.owner_type,
    owner_id: row.owner_id,
    name,
    object_id: row.id,
    body_mac: await macOf(dataKey, body),
    sealed_token: sealedToken,
    secret_ended: false,
    created_at: row.updated_at,
  };
}

/** Keyed, because a body may hold credentials of a receiver. */
function macOf(dataKey: DataKey, body: unknown): Promise<string> {
  return fingerprint(dataKey, utf8(`creation\n${canonicalJson(body)}`));
}

/** JSON in which the order of names makes no difference. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
