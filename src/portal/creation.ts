/**
 * Creating requests: `POST` of connections, webhooks, API keys and portal links, with and without an `Idempotency-Key`.
 *
 * With a key, the same body returns the same object for 24 hours, within one client, route and owner; another body is a 409.
 * The batch that inserts the object also inserts the key, so of two concurrent requests one creates the object and both
 * return it. A repeat returns the secret until it was rotated or used, or the object was deactivated or deleted.
 */
import { sha256Hex, utf8 } from "../crypto/encoding.ts";
import { type DataKey, fingerprint } from "../crypto/vault.ts";
import type { AuditRow } from "../db/audit.ts";
import { type Creation, findCreation, type Inserted } from "../db/creations.ts";
import type { AuditedFields } from "../db/schema.ts";
import { type AppContext, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { idempotencyKey } from "../http/idempotency-key.ts";
import type { Result } from "../result.ts";
import { type CreatedKind, type CreatedRow, createdRow } from "./change.ts";
import type { Owner } from "./owner.ts";

/** A new object, not yet stored. */
export interface Made<Row> {
  row: Row;
  secret: string;
  /** Seals the object's secrets. */
  dataKey: DataKey;
  /** The token of an API key or a portal link, sealed. */
  sealedToken: string | null;
  insert(auditRow: AuditRow, creation: Creation | null): Promise<Inserted>;
  /** Finds out why it was not inserted; null if another attempt may succeed. */
  findRefusal(): Promise<Failure | null>;
}

/** An owner can be erased while an object is being created, but not several times in a row. */
const MAX_TRIES = 3;

export interface Creatable<Row extends CreatedRow> {
  managed: { kind: CreatedKind; audited(row: Row): AuditedFields };
  /** Also finds deleted and inactive objects. */
  find(c: AppContext, id: string): Promise<Row | null>;
  /** Null if the key has been erased. */
  dataKey(c: AppContext, row: Row): Promise<DataKey | null>;
  /** The secret that a repeat returns; null if the object is not active, or the secret has been used. */
  secretOf(c: AppContext, row: Row, sealedToken: string | null, dataKey: DataKey): Promise<string | null>;
  /** Must not read D1 if there is a `dataKey`: an object that was created must be returned. */
  present(c: AppContext, row: Row, secret: Secret, dataKey: DataKey | null): Response | Promise<Response>;
}

/** The part of a response that holds the secret, or says that it is no longer available. */
export type Secret = { secret: string } | { secret_unavailable: true };

/** `body` is the parsed body; `make` is called unless an earlier request with this key has created the object. */
export async function create<Row extends CreatedRow>(
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
  for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
    const making = await make();
    if (!making.ok) return failureResponse(c, making.error);
    const made = making.value;
    const creation = name === null ? null : await creationOf(name, made, body);
    const inserted = await made.insert(createdRow(c, kind.managed, made.row), creation);
    if (inserted.outcome === "made_before") return repeat(c, kind, inserted.earlier, body);
    if (inserted.outcome === "inserted")
      return kind.present(c, made.row, { secret: made.secret }, made.dataKey);
    const refused = await made.findRefusal();
    if (refused !== null) return failureResponse(c, refused);
  }
  return failureResponse(c, { kind: "owner_erased_meanwhile" });
}

/** For objects that are inserted unconditionally. */
export function insertsUnconditionally(): Promise<never> {
  return Promise.reject(new Error("a new object was not stored"));
}

async function repeat<Row extends CreatedRow>(
  c: AppContext,
  kind: Creatable<Row>,
  { object_id: id, body_mac: mac, secret_ended: ended, sealed_token: token }: Creation,
  body: unknown,
): Promise<Response> {
  const row = await kind.find(c, id);
  if (row === null)
    throw new Error(`a ${kind.managed.kind} that was created in the last 24 hours no longer exists`);
  const dataKey = await kind.dataKey(c, row);
  if (dataKey !== null && (await macOf(dataKey, body)) !== mac)
    return failureResponse(c, { kind: "creation_key_reused" });
  const secret = ended || dataKey === null ? null : await kind.secretOf(c, row, token, dataKey);
  c.header("Idempotent-Replayed", "true");
  return kind.present(c, row, secret === null ? { secret_unavailable: true } : { secret }, dataKey);
}

/** Identifies the client, the kind of object and the key. Hashed, because the client may be a person's e-mail address. */
function nameOf<Row extends CreatedRow>(c: AppContext, kind: Creatable<Row>, key: string): Promise<string> {
  return sha256Hex(JSON.stringify([c.get("client").actor, kind.managed.kind, key]));
}

async function creationOf<Row extends CreatedRow>(
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
    created_at: row.created_at,
  };
}

/** Keyed, because a body may hold a receiver's credentials. */
function macOf(dataKey: DataKey, body: unknown): Promise<string> {
  return fingerprint(dataKey, utf8(`creation\n${canonicalJson(body)}`));
}

/** JSON with sorted names, so that their order makes no difference. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
