/** The ledger's tables and their rows. Nothing is deleted from them: `npm run reset` removes them as a whole. */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS submissions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT NOT NULL UNIQUE,
    file_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    byte_length INTEGER NOT NULL,
    records_total INTEGER NOT NULL,
    records_written INTEGER NOT NULL,
    headers TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    stored_at INTEGER
  );
  CREATE INDEX IF NOT EXISTS submissions_by_file ON submissions (file_id);
  CREATE TABLE IF NOT EXISTS posts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    file_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    attempt TEXT,
    sha256 TEXT NOT NULL,
    byte_length INTEGER NOT NULL,
    headers TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    outcome TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS posts_by_file ON posts (file_id);
  CREATE TABLE IF NOT EXISTS reports (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT NOT NULL,
    event TEXT NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    reported_at INTEGER,
    last_error TEXT
  );
  CREATE INDEX IF NOT EXISTS reports_due ON reports (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS reports_by_key ON reports (idempotency_key);
  CREATE TABLE IF NOT EXISTS faults (only INTEGER PRIMARY KEY CHECK (only = 1), list TEXT NOT NULL);
`;

export type SubmissionRow = {
  number: number;
  idempotency_key: string;
  file_id: string;
  sha256: string;
  byte_length: number;
  records_total: number;
  records_written: number;
  headers: string;
  received_at: number;
  stored_at: number | null;
};

export type ReportRow = {
  event_id: string;
  idempotency_key: string;
  event: string;
  tries: number;
  due_at: number | null;
  reported_at: number | null;
  last_error: string | null;
};

export type PostRow = {
  idempotency_key: string;
  attempt: string | null;
  sha256: string;
  byte_length: number;
  headers: string;
  received_at: number;
  outcome: string;
};
