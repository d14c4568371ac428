/** How the portal changes, audits and presents an API key. */

import { type ApiKey, type ApiKeyChange, changeApiKey, getApiKey } from "../../db/api-keys.ts";
import { DEFAULT_RETENTION_YEARS } from "../../db/gates.ts";
import { propagate, snapshotOf } from "../../gate/propagate.ts";
import { iso } from "../../http/iso.ts";
import { API_KEY_PREFIX, objectIdOf } from "../../model.ts";
import type { ManagedKind } from "../change.ts";
import type { ShownApiKey } from "./api-key-contract.ts";

/** The gate rejects callers that know an older version, so a change takes effect once the gate knows it. */
export const API_KEY: ManagedKind<ApiKey, ApiKeyChange> = {
  kind: "api_key",
  find: async (db, path) => {
    const id = objectIdOf(path, API_KEY_PREFIX);
    return id === null ? null : getApiKey(db, id);
  },
  write: changeApiKey,
  propagate: (row, env) =>
    propagate(snapshotOf("key", { ...row, retention_years: DEFAULT_RETENTION_YEARS }), env),
  audited: ({ prefix, environment, plan, is_active, erase_at }) => ({
    prefix,
    environment,
    plan,
    is_active,
    erase_at,
  }),
};

/** Shows only as much of the token as people need to recognise it. */
export function presentApiKey(row: ApiKey): ShownApiKey {
  return {
    _id: row.id,
    id: `${API_KEY_PREFIX}${row.id}`,
    key: `${row.prefix}…`,
    environment: row.environment,
    plan: row.plan,
    owner_id: row.owner_id,
    owner_type: row.owner_type,
    is_active: row.is_active,
    last_used_at: iso(row.last_used_at),
    version: row.version,
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
    erase_at: iso(row.erase_at),
  };
}
