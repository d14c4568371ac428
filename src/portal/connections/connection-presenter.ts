/** How the portal changes, audits and presents a connection. */
import { settled } from "../../db/connection-secrets.ts";
import {
  type ConnectionChange,
  changeConnection,
  getAnyConnection,
  getConnection,
  type ManagedConnection,
} from "../../db/managed-connections.ts";
import { propagate, snapshotOf } from "../../gate/propagate.ts";
import type { GateActivity } from "../../gate/protocol.ts";
import type { AppContext } from "../../http/context.ts";
import { iso } from "../../http/iso.ts";
import type { ManagedKind } from "../change.ts";
import type { ShownConnection } from "./connection-contract.ts";

/** The gate rejects callers that know an older version, so a change takes effect once the gate knows it. */
export const CONNECTION: ManagedKind<ManagedConnection, ConnectionChange> = {
  kind: "connection",
  find: (db, id) => getConnection(db, id.toLowerCase()),
  write: changeConnection,
  propagate: (row, env) => propagate(snapshotOf("connection", row), env),
  audited: ({ type, status, plan, environment, employer_id, default_wait_seconds, same_body, ...row }) => ({
    type,
    status,
    plan,
    environment,
    employer_id,
    default_wait_seconds,
    same_body,
    retention_years: row.retention_years,
    description: row.description,
    notification_email: row.notification_email,
    secrets: row.secrets.map(({ id, expires_at }) => ({ id, expires_at })),
    deleted_at: row.deleted_at,
    erase_at: row.erase_at,
  }),
};

/** A deletion may be repeated, to add an erasure or to cancel it. */
export const DELETABLE_CONNECTION: typeof CONNECTION = {
  ...CONNECTION,
  find: (db, id) => getAnyConnection(db, id.toLowerCase()),
};

/** Shows no secret and no key. A secret that has ended is left out, though its row is settled only once a day. */
export function presentConnection(
  c: AppContext,
  row: ManagedConnection,
  activity: GateActivity | null = null,
): ShownConnection {
  const {
    data_key: _key,
    gate_version: _gate,
    deleted_at: _deleted,
    erase_at: _erase,
    ended_secrets: _ended,
    secrets: _secrets,
    ...shown
  } = row;
  const { secrets: inForce } = settled(row, Date.now());
  return {
    ...shown,
    url: new URL(`/api/v1/webhook/inbound/${row.id}`, c.get("settings").inboundOrigin ?? c.req.url).href,
    secrets: inForce.map(({ id, created_at, expires_at }) => ({
      id,
      created_at: iso(created_at),
      expires_at: iso(expires_at),
    })),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
    ...(activity !== null && { last_report_at: iso(activity.lastReportAt) }),
  };
}
