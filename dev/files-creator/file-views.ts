/** How the ledger presents its files. */

import type { PostRow, ReportRow, SubmissionRow } from "./ledger-schema.ts";

export interface FileSummary {
  file_id: string;
  records: number;
  size: number;
  status: "receiving" | "processing" | "completed" | "failed";
  posts: number;
  received_at: string;
}

export interface FilePage {
  total: number;
  files: FileSummary[];
  next_cursor: number | null;
}

/** Newest first. `before` is the `next_cursor` of the page before. */
export function listFiles(sql: SqlStorage, limit: number, before: number): FilePage {
  const [count] = sql
    .exec<{ total: number }>("SELECT count(DISTINCT file_id) AS total FROM submissions")
    .toArray();
  const rows = sql
    .exec<SubmissionRow>(
      `SELECT * FROM submissions WHERE number < ? AND number IN (SELECT max(number) FROM submissions GROUP BY file_id)
       ORDER BY number DESC LIMIT ?`,
      before,
      limit,
    )
    .toArray();
  return {
    total: count?.total ?? 0,
    files: rows.map((row) => summary(sql, row)),
    next_cursor: rows.length === limit ? (rows.at(-1)?.number ?? null) : null,
  };
}

/** Everything known about a file id, even if all its POSTs failed. Null if there was no POST. */
export function fileMeta(sql: SqlStorage, fileId: string): Record<string, unknown> | null {
  const posts = sql.exec<PostRow>("SELECT * FROM posts WHERE file_id = ? ORDER BY number", fileId).toArray();
  if (posts.length === 0) return null;
  const submissions = sql
    .exec<SubmissionRow>("SELECT * FROM submissions WHERE file_id = ? ORDER BY number", fileId)
    .toArray();
  const last = submissions.at(-1);
  return {
    file_id: fileId,
    ...(last && {
      status: summary(sql, last).status,
      records_total: last.records_total,
      records_processed: last.records_written,
      sha256: last.sha256,
      byte_length: last.byte_length,
      headers: JSON.parse(last.headers),
    }),
    idempotency_keys: Object.fromEntries(
      [...Map.groupBy(posts, (post) => post.idempotency_key)].map(([key, group]) => [
        key,
        { posts: group.length },
      ]),
    ),
    posts: posts.map(({ received_at, headers, ...post }) => ({
      idempotency_key: post.idempotency_key,
      attempt: post.attempt,
      outcome: post.outcome,
      sha256: post.sha256,
      byte_length: post.byte_length,
      headers: JSON.parse(headers),
      received_at: new Date(received_at).toISOString(),
    })),
    reports: submissions.flatMap((submission) => reports(sql, submission.idempotency_key)),
  };
}

function summary(sql: SqlStorage, row: SubmissionRow): FileSummary {
  const [count] = sql
    .exec<{ posts: number }>("SELECT count(*) AS posts FROM posts WHERE file_id = ?", row.file_id)
    .toArray();
  const [owed] = sql
    .exec<{ reports: number }>(
      "SELECT count(*) AS reports FROM reports WHERE idempotency_key = ? AND reported_at IS NULL",
      row.idempotency_key,
    )
    .toArray();
  const done = row.records_written > 0 ? "completed" : "failed";
  return {
    file_id: row.file_id,
    records: row.records_written,
    size: row.byte_length,
    status: row.stored_at === null ? "receiving" : owed?.reports ? "processing" : done,
    posts: count?.posts ?? 0,
    received_at: new Date(row.received_at).toISOString(),
  };
}

function reports(sql: SqlStorage, idempotencyKey: string): Record<string, unknown>[] {
  return sql
    .exec<ReportRow>("SELECT * FROM reports WHERE idempotency_key = ? ORDER BY number", idempotencyKey)
    .toArray()
    .map((row) => ({
      event: JSON.parse(row.event),
      tries: row.tries,
      reported_at: row.reported_at === null ? null : new Date(row.reported_at).toISOString(),
      given_up: row.reported_at === null && row.due_at === null,
      last_error: row.last_error,
    }));
}
