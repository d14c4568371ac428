/**
 * Seals webhook URLs, and masks those in the audit trail, that were stored in clear before URLs were sealed. The minute cron
 * runs one bounded step at a time. Two partial indexes list the remaining rows, so a step that is cut short or repeated loses
 * nothing, and once every row is done a step reads nothing. Its log line says how many rows are left.
 */

import * as z from "zod";
import { newObjectId } from "../crypto/ids.ts";
import type { DataKey, KeyRing } from "../crypto/vault.ts";
import { auditIdAt } from "../db/audit.ts";
import { nullableJsonColumn } from "../db/json-column.ts";
import { findOwnerKey, type OwnerAddress, ownerKey, ownerName } from "../db/owner-keys.ts";
import { type AuditedFields, SHOWS_ADDRESS } from "../db/schema.ts";
import { logError, logLine } from "../log.ts";
import { OWNER_TYPES } from "../model.ts";
import { erasedUrl, sealUrl, urlFingerprint } from "./sealed-url.ts";
import { MASK, maskUrl } from "./url-policy.ts";

const WEBHOOKS_PER_RUN = 50;
const AUDIT_ROWS_PER_RUN = 200;

const owned = { owner_type: z.enum(OWNER_TYPES), owner_id: z.string() };
const webhookRow = z.object({ id: z.string(), ...owned, url: z.string(), deleted_at: z.number().nullable() });
const fields = nullableJsonColumn(z.record(z.string(), z.unknown()));
const auditRow = z.object({ id: z.string(), ...owned, before: fields, after: fields });
type Owned = Pick<z.infer<typeof webhookRow>, "owner_type" | "owner_id">;

/** Rejects if D1 does not respond; repeating is safe. */
export async function sealClearUrls(db: D1Database, ring: KeyRing, now: number): Promise<void> {
  const { webhooks, auditRows } = await findClear(db, now);
  if (webhooks.length === 0 && auditRows.length === 0) return;
  const keys = keysOf(db, ring);
  const statements: D1PreparedStatement[] = [];
  let failed = 0;
  const gather = async (what: object, make: () => Promise<D1PreparedStatement>) => {
    try {
      statements.push(await make());
    } catch (error) {
      failed++;
      logError("failed to seal a webhook's URL", { ...what }, error);
    }
  };
  for (const row of webhooks) await gather({ webhook_id: row.id }, () => sealing(db, row, keys));
  for (const row of auditRows) await gather({ audit_id: row.id }, () => masking(db, row, keys));
  if (statements.length > 0) await db.batch(statements);
  logLine("sealed webhook URLs", {
    webhooks: webhooks.length,
    audit_rows: auditRows.length,
    failed,
    ...(await remaining(db)),
  });
}

/** Starts at a random row and wraps around, so that rows which cannot be sealed do not block the others. */
async function findClear(db: D1Database, now: number) {
  const webhookId = newObjectId();
  const auditId = auditIdAt(Math.floor(Math.random() * now));
  const webhooks = (side: string) =>
    db
      .prepare(
        `SELECT id, owner_type, owner_id, url, deleted_at FROM webhooks INDEXED BY webhooks_unsealed
         WHERE target IS NULL AND id ${side} ?1 ORDER BY id LIMIT ${WEBHOOKS_PER_RUN}`,
      )
      .bind(webhookId);
  const auditRows = (side: string) =>
    db
      .prepare(
        `SELECT id, owner_type, owner_id, before, after FROM audit INDEXED BY audit_unmasked
         WHERE ${SHOWS_ADDRESS} AND id ${side} ?1 ORDER BY id LIMIT ${AUDIT_ROWS_PER_RUN}`,
      )
      .bind(auditId);
  const results = await db.batch([webhooks(">="), webhooks("<"), auditRows(">="), auditRows("<")]);
  const [hooksOn = [], hooksBefore = [], auditOn = [], auditBefore = []] = results.map(
    (each) => each.results,
  );
  return {
    webhooks: [...hooksOn, ...hooksBefore].slice(0, WEBHOOKS_PER_RUN).map((row) => webhookRow.parse(row)),
    auditRows: [...auditOn, ...auditBefore].slice(0, AUDIT_ROWS_PER_RUN).map((row) => auditRow.parse(row)),
  };
}

/** Only if the URL is still the one that was read: a concurrent change seals its own. */
async function sealing(
  db: D1Database,
  row: z.infer<typeof webhookRow>,
  keys: Keys,
): Promise<D1PreparedStatement> {
  const key = row.deleted_at === null ? await keys.made(row) : await keys.found(row);
  const { url, target } = key === null ? erasedUrl(row.url) : await sealUrl(key, row.id, row.url);
  return db
    .prepare("UPDATE webhooks SET url = ?3, target = ?4 WHERE id = ?1 AND url = ?2 AND target IS NULL")
    .bind(row.id, row.url, url, JSON.stringify(target));
}

async function masking(
  db: D1Database,
  row: z.infer<typeof auditRow>,
  keys: Keys,
): Promise<D1PreparedStatement> {
  const key = await keys.found(row);
  const [before, after] = await Promise.all([row.before, row.after].map((each) => masked(each, key)));
  return db
    .prepare("UPDATE audit SET before = ?2, after = ?3 WHERE id = ?1")
    .bind(row.id, before && JSON.stringify(before), after && JSON.stringify(after));
}

async function masked(shown: AuditedFields | null, key: DataKey | null): Promise<AuditedFields | null> {
  if (shown === null || typeof shown.url !== "string") return shown;
  const { url, ...others } = shown;
  return {
    url_masked: URL.canParse(url) ? maskUrl(url) : MASK,
    url_fingerprint: key === null ? null : await urlFingerprint(key, url),
    ...others,
  };
}

async function remaining(db: D1Database): Promise<{ webhooks_left: number; audit_rows_left: number }> {
  const [webhooks, auditRows] = await db.batch<{ count: number }>([
    db.prepare("SELECT count(*) AS count FROM webhooks INDEXED BY webhooks_unsealed WHERE target IS NULL"),
    db.prepare(`SELECT count(*) AS count FROM audit INDEXED BY audit_unmasked WHERE ${SHOWS_ADDRESS}`),
  ]);
  return {
    webhooks_left: webhooks?.results[0]?.count ?? 0,
    audit_rows_left: auditRows?.results[0]?.count ?? 0,
  };
}

interface Keys {
  /** Null if the owner has none. */
  found(row: Owned): Promise<DataKey | null>;
  made(row: Owned): Promise<DataKey>;
}

/** Each key is read once per run. */
function keysOf(db: D1Database, ring: KeyRing): Keys {
  const known = new Map<string, Promise<DataKey | null>>();
  const ownerOf = ({ owner_type: type, owner_id: id }: Owned): OwnerAddress => ({ type, id });
  const found = (row: Owned) => {
    const owner = ownerOf(row);
    const key =
      known.get(ownerName(owner)) ?? findOwnerKey(db, ring, owner).then((stored) => stored?.key ?? null);
    known.set(ownerName(owner), key);
    return key;
  };
  return { found, made: async (row) => (await found(row)) ?? ownerKey(db, ring, ownerOf(row)) };
}
