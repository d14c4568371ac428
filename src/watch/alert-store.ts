/**
 * Alerts and their unsent notifications, in the watch's SQLite. A condition has at most one open alert. An alert keeps the facts
 * as they were when it opened.
 *
 * Deletion: by the watch's alarm, alerts 90 days after they were resolved, notifications once they were sent or are a week old.
 */
import { integerToBase32 } from "../crypto/encoding.ts";
import { randomBase32 } from "../crypto/ids.ts";
import type { OwnerType } from "../model.ts";
import type { AlertFacts, AlertKind, AlertSubject } from "./alert-kinds.ts";

export interface AlertOwner {
  type: OwnerType;
  id: string;
}

export interface Alert {
  /** Sorts by the time of opening. */
  id: string;
  kind: AlertKind;
  subject: AlertSubject;
  /** Null if the alert concerns the whole gateway, and until the owner has been looked up. */
  owner: AlertOwner | null;
  facts: AlertFacts;
  openedAt: number;
  resolvedAt: number | null;
  acknowledgedAt: number | null;
  /** See {@link acknowledger}. */
  acknowledgedBy: string | null;
}

export type NewAlert = Pick<Alert, "kind" | "subject" | "owner" | "facts">;

/** `mail` and `opened` follow the opening, `resolved` the resolution. The latter two go to the operators' webhook. */
export type NotificationKind = "mail" | "opened" | "resolved";

export interface Notification {
  id: number;
  kind: NotificationKind;
  tries: number;
  createdAt: number;
  alert: Alert;
}

/** One run over due notifications. None is sent that has not started by `startUntil`. */
export interface NotifyRun {
  now: number;
  startUntil: number;
}

export interface AlertFilter {
  owner: AlertOwner | null;
  status: "open" | "resolved" | null;
  kind: AlertKind | null;
}

const KEEP_ALERTS_MS = 90 * 86_400_000;
export const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 3_600_000;
const KEEP_NOTIFICATIONS_MS = 7 * 86_400_000;
const DELETED_PER_RUN = 1_000;
/** After every id. */
const END = "alt_~";

const COLUMNS =
  "a.id, a.kind, subject_kind, subject_id, owner_type, owner_id, facts, opened_at, resolved_at, acknowledged_at, acknowledged_by";

type SqlRow = Record<string, SqlStorageValue>;

export class AlertStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** All open alerts. */
  open(): Alert[] {
    return this.#alerts("resolved_at IS NULL");
  }

  find(id: string): Alert | null {
    return this.#alerts("a.id = ?", id)[0] ?? null;
  }

  /** Newest first, from below the id `before`. Returns `limit + 1` alerts if there are more. */
  list({ owner, status, kind }: AlertFilter, before: string | null, limit: number): Alert[] {
    const conditions = ["a.id < ?"];
    const values: (string | number)[] = [before ?? END];
    if (owner !== null) {
      conditions.push("owner_type = ? AND owner_id = ?");
      values.push(owner.type, owner.id);
    }
    if (kind !== null) {
      conditions.push("a.kind = ?");
      values.push(kind);
    }
    if (status !== null) conditions.push(`resolved_at IS ${status === "open" ? "" : "NOT "}NULL`);
    return this.#alerts(`${conditions.join(" AND ")} ORDER BY a.id DESC LIMIT ?`, ...values, limit + 1);
  }

  insert(alert: NewAlert, notify: readonly NotificationKind[], now: number): void {
    const { kind, subject, owner, facts } = alert;
    const id = `alt_${integerToBase32(now, 10)}${randomBase32(10)}`;
    this.#sql.exec(
      `INSERT INTO alerts (id, kind, subject_kind, subject_id, owner_type, owner_id, facts, opened_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      kind,
      subject.kind,
      subject.id,
      owner?.type ?? null,
      owner?.id ?? null,
      JSON.stringify(facts),
      now,
    );
    for (const each of notify) this.#notify(id, each, now);
  }

  resolve(id: string, notify: readonly NotificationKind[], now: number): void {
    this.#sql.exec("UPDATE alerts SET resolved_at = ? WHERE id = ?", now, id);
    for (const each of notify) this.#notify(id, each, now);
  }

  setOwner(id: string, owner: AlertOwner): void {
    this.#sql.exec("UPDATE alerts SET owner_type = ?, owner_id = ? WHERE id = ?", owner.type, owner.id, id);
  }

  acknowledge(id: string, by: string, now: number): void {
    this.#sql.exec("UPDATE alerts SET acknowledged_at = ?, acknowledged_by = ? WHERE id = ?", now, by, id);
  }

  #notify(alertId: string, kind: NotificationKind, now: number): void {
    this.#sql.exec(
      "INSERT INTO notifications (alert_id, kind, due_at, tries, created_at) VALUES (?, ?, ?, 0, ?)",
      alertId,
      kind,
      now,
      now,
    );
  }

  /** Due notifications of these kinds, oldest first. A resolution waits until the opening was sent. */
  dueNotifications(kinds: readonly NotificationKind[], limit: number, now: number): Notification[] {
    return this.#sql
      .exec(
        `SELECT n.id AS n_id, n.kind AS n_kind, tries, created_at, ${COLUMNS}
         FROM notifications n JOIN alerts a ON a.id = n.alert_id
         WHERE due_at <= ? AND n.kind IN (${kinds.map(() => "?").join(", ")}) AND NOT (n.kind = 'resolved' AND EXISTS (
           SELECT 1 FROM notifications earlier WHERE earlier.alert_id = n.alert_id AND earlier.kind = 'opened'))
         ORDER BY n.id LIMIT ?`,
        now,
        ...kinds,
        limit,
      )
      .toArray()
      .map((row) => ({
        id: Number(row.n_id),
        kind: row.n_kind as NotificationKind,
        tries: Number(row.tries),
        createdAt: Number(row.created_at),
        alert: alertOf(row),
      }));
  }

  /** The delay doubles with every try, unless it is given. */
  postpone({ id, tries }: Notification, now: number, delayMs = retryMs(tries)): void {
    this.#sql.exec("UPDATE notifications SET due_at = ?, tries = tries + 1 WHERE id = ?", now + delayMs, id);
  }

  removeNotification({ id }: Notification): void {
    this.#sql.exec("DELETE FROM notifications WHERE id = ?", id);
  }

  /** When a mail of this kind was last sent to the recipient. */
  mailedAt(kind: AlertKind, recipient: string): number | null {
    const [row] = this.#sql
      .exec("SELECT at FROM mailed WHERE kind = ? AND recipient = ?", kind, recipient)
      .toArray();
    return row === undefined ? null : Number(row.at);
  }

  setMailed(kind: AlertKind, recipient: string, now: number): void {
    this.#sql.exec(
      "INSERT INTO mailed (kind, recipient, at) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET at = ?3",
      kind,
      recipient,
      now,
    );
  }

  /** Returns how many notifications were dropped unsent. `mailedBefore`: when older times of mails are of no use. */
  deleteOld(now: number, mailedBefore: number): number {
    this.#sql.exec("DELETE FROM mailed WHERE at < ?", mailedBefore);
    const dropped = this.#sql
      .exec("DELETE FROM notifications WHERE created_at < ? RETURNING id", now - KEEP_NOTIFICATIONS_MS)
      .toArray().length;
    this.#sql.exec(
      `DELETE FROM alerts WHERE id IN (
         SELECT id FROM alerts WHERE resolved_at < ? ORDER BY resolved_at LIMIT ${DELETED_PER_RUN})`,
      now - KEEP_ALERTS_MS,
    );
    return dropped;
  }

  #alerts(condition: string, ...values: (string | number)[]): Alert[] {
    return this.#sql
      .exec(`SELECT ${COLUMNS} FROM alerts a WHERE ${condition}`, ...values)
      .toArray()
      .map(alertOf);
  }
}

const FOR_OWNER = "owner:";

/** The actor, marked if the request acted for one owner: operators must not take an owner's acknowledgement for their own. Pure. */
export function acknowledger(actor: string, { forOwner }: { forOwner: boolean }): string {
  return forOwner ? `${FOR_OWNER}${actor}` : actor;
}

/** The first acknowledgement counts, and the first of the operators replaces an owner's. Pure. */
export function acknowledgementCounts(by: string, { acknowledgedBy: before }: Alert): boolean {
  return before === null || (before.startsWith(FOR_OWNER) && !by.startsWith(FOR_OWNER));
}

function retryMs(tries: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries, 20));
}

function alertOf(row: SqlRow): Alert {
  const orNull = (value: SqlStorageValue | undefined) => (value === null ? null : Number(value));
  return {
    id: String(row.id),
    kind: row.kind as AlertKind,
    subject: { kind: row.subject_kind as AlertSubject["kind"], id: String(row.subject_id) },
    owner: row.owner_id === null ? null : { type: row.owner_type as OwnerType, id: String(row.owner_id) },
    facts: JSON.parse(String(row.facts)),
    openedAt: Number(row.opened_at),
    resolvedAt: orNull(row.resolved_at),
    acknowledgedAt: orNull(row.acknowledged_at),
    acknowledgedBy: row.acknowledged_by === null ? null : String(row.acknowledged_by),
  };
}
