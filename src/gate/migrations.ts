/**
 * Migrations of a gate's SQLite tables. When a gate starts, it first runs the migrations that it lacks, in one transaction. The
 * mark `layout` counts those that have run.
 *
 * Never edit a released migration: gates that have run it would not change. Append a new one, and let it convert existing rows.
 * After a rollback, older code refuses the tables of newer code and leaves them untouched.
 */
import { NEWER_CODE_NEEDED } from "../deadline.ts";
import { createEvidenceTable, createSampledIndex } from "../evidence/evidence-store.ts";
import { SETTLED, UNSETTLED } from "./file-row.ts";

type Migration = (sql: SqlStorage) => void;

export const MIGRATIONS: readonly Migration[] = [
  // Day partitions are created and dropped as files come and go (day-partitions.ts), all of them as copies of this template, which
  // stays empty. Its name must occur in its statements only as the name of the table or as part of an index name. A migration that
  // changes the template must change every table whose name begins with `inbox_`.
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
  // Rows are deleted by the alarm after 30 days (evidence/evidence-store.ts).
  createEvidenceTable,
  createSampledIndex,
];

/** Throws, and changes nothing, if the tables were made by newer code. */
export function migrate(
  storage: Pick<DurableObjectStorage, "sql" | "transactionSync">,
  migrations: readonly Migration[] = MIGRATIONS,
): void {
  const { sql } = storage;
  // The one table that no migration changes: it records how many have run.
  sql.exec("CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
  const [mark] = sql.exec("SELECT value FROM marks WHERE name = 'layout'").toArray();
  const done = Number(mark?.value ?? 0);
  if (done > migrations.length)
    throw new Error(
      `the gate's tables have run ${done} migrations, this code has ${migrations.length}: ${NEWER_CODE_NEEDED}`,
    );
  if (done === migrations.length) return;
  storage.transactionSync(() => {
    for (const migration of migrations.slice(done)) migration(sql);
    sql.exec("INSERT OR REPLACE INTO marks (name, value) VALUES ('layout', ?)", String(migrations.length));
  });
}
