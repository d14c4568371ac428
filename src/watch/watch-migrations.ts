/**
 * Migrations of the watch's SQLite tables, run like those of a gate: never edit a released one, append a new one.
 *
 * `marks`: single values, such as when the cron last ran and the last reading. `raised`: conditions that others raised, deleted when
 * they are cleared or not raised again. `alerts`, `notifications` and `mailed` (when a recipient was last mailed about a kind of alert,
 * kept for a quarter of an hour) belong to alert-store.ts.
 */

export const WATCH_MIGRATIONS: readonly ((sql: SqlStorage) => void)[] = [
  (sql) =>
    sql.exec(`
      CREATE TABLE raised (
        kind TEXT NOT NULL, subject TEXT NOT NULL, facts TEXT NOT NULL, first_at INTEGER NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (kind, subject)
      ) WITHOUT ROWID;
    `),
  (sql) =>
    sql.exec(`
      CREATE TABLE alerts (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject_kind TEXT NOT NULL, subject_id TEXT NOT NULL,
        owner_type TEXT, owner_id TEXT, facts TEXT NOT NULL, opened_at INTEGER NOT NULL, resolved_at INTEGER,
        acknowledged_at INTEGER, acknowledged_by TEXT
      ) WITHOUT ROWID;
      CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject_kind, subject_id) WHERE resolved_at IS NULL;
      CREATE INDEX alerts_owner ON alerts (owner_type, owner_id, id) WHERE owner_id IS NOT NULL;
      CREATE INDEX alerts_kind ON alerts (kind, id);
      CREATE INDEX alerts_resolved ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;
      CREATE TABLE notifications (
        id INTEGER PRIMARY KEY AUTOINCREMENT, alert_id TEXT NOT NULL, kind TEXT NOT NULL, due_at INTEGER NOT NULL,
        tries INTEGER NOT NULL, created_at INTEGER NOT NULL
      );
      CREATE INDEX notifications_alert ON notifications (alert_id);
      CREATE TABLE mailed (
        kind TEXT NOT NULL, recipient TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, recipient)
      ) WITHOUT ROWID;
    `),
];
