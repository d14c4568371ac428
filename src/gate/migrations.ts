/**
 * The layout of a gate's tables, and the steps that lead to it. A gate does the steps it lacks when it wakes, in one
 * transaction and before it does anything else; how many it has done is kept in its marks.
 *
 * A released step is never edited: gates that did it would stay as they are. What changes is a step more, which brings the
 * tables of gates with rows along. Code that a deployment was rolled back to refuses what newer code made, untouched.
 */
import { NEWER_CODE_NEEDED } from "../deadline.ts";
import { SETTLED, UNSETTLED } from "./file-row.ts";

type Migration = (sql: SqlStorage) => void;

export const MIGRATIONS: readonly Migration[] = [
  // The tables of the inbox are made and dropped as files come and go (tables.ts), all after one that stays empty. Its name
  // must not occur in its statements otherwise. What changes it changes every table whose name begins with `inbox_`.
  (sql) =>
    sql.exec(`
      CREATE TABLE inbox_template (
        key INTEGER PRIMARY KEY,
        seq TEXT NOT NULL,
        state INTEGER NOT NULL,
        admitted_at INTEGER NOT NULL,
        signature TEXT,
        signed_until INTEGER,
        body_mac TEXT NOT NULL,
        key_mac TEXT,
        facts TEXT NOT NULL,
        generation INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        wake_ups INTEGER NOT NULL,
        due_at INTEGER,
        queued_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        progress TEXT,
        error BLOB,
        stored TEXT,
        payload BLOB
      );
      CREATE INDEX inbox_template_key ON inbox_template (key_mac, admitted_at) WHERE key_mac IS NOT NULL;
      CREATE INDEX inbox_template_due ON inbox_template (due_at) WHERE due_at IS NOT NULL AND ${UNSETTLED};
      CREATE INDEX inbox_template_late ON inbox_template (due_at) WHERE due_at IS NOT NULL AND ${SETTLED};
      CREATE TABLE aliases (mac TEXT PRIMARY KEY, seq TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE reads (second INTEGER PRIMARY KEY, count INTEGER NOT NULL);
      CREATE TABLE owed (
        seq TEXT NOT NULL, type TEXT NOT NULL, generation INTEGER NOT NULL, reason TEXT, at INTEGER NOT NULL,
        due_at INTEGER NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY (seq, type, generation)
      ) WITHOUT ROWID;
      CREATE INDEX owed_due ON owed (due_at);
    `),
];

/** Throws, and touches nothing, where the tables were made by newer code than this. */
export function migrate(
  storage: Pick<DurableObjectStorage, "sql" | "transactionSync">,
  migrations: readonly Migration[] = MIGRATIONS,
): void {
  const { sql } = storage;
  // The one table that no step changes: it says which steps were done.
  sql.exec("CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
  const [mark] = sql.exec("SELECT value FROM marks WHERE name = 'layout'").toArray();
  const done = Number(mark?.value ?? 0);
  if (done > migrations.length)
    throw new Error(
      `the gate's tables have layout ${done}, this code knows ${migrations.length}: ${NEWER_CODE_NEEDED}`,
    );
  if (done === migrations.length) return;
  storage.transactionSync(() => {
    for (const migration of migrations.slice(done)) migration(sql);
    sql.exec("INSERT OR REPLACE INTO marks (name, value) VALUES ('layout', ?)", String(migrations.length));
  });
}
