/**
 * Migrations of the watch's SQLite tables, run like those of a gate: never edit a released one, append a new one.
 *
 * `marks`: single values, such as when the cron last ran and what was last read. `told`: conditions that others report, deleted when
 * they end or are not reported any more.
 */

export const WATCH_MIGRATIONS: readonly ((sql: SqlStorage) => void)[] = [
  (sql) =>
    sql.exec(`
      CREATE TABLE told (
        kind TEXT NOT NULL, subject TEXT NOT NULL, facts TEXT NOT NULL, first_at INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (kind, subject)
      ) WITHOUT ROWID;
    `),
];
