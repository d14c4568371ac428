/** Reads with the API key this gate belongs to, counted by the second: exact across restarts for one row a read. */

/** Longer than the longest rate window and its bucket. */
const READS_COUNT_S = 3_720;
/** The alarm that deletes them waits this long for the oldest, so that it runs once an hour and not with every read. */
const READS_KEPT_S = 2 * READS_COUNT_S;

export class ReadCounter {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  count(now: number): void {
    this.#sql.exec(
      "INSERT INTO reads (second, count) VALUES (?, 1) ON CONFLICT (second) DO UPDATE SET count = count + 1",
      Math.floor(now / 1_000),
    );
  }

  /** When the oldest counted read no longer matters; null without any. */
  expireAt(): number | null {
    const { oldest } = this.#sql.exec("SELECT min(second) AS oldest FROM reads").one();
    return oldest === null ? null : (Number(oldest) + READS_KEPT_S) * 1_000;
  }

  since(since: number): { at: number; count: number }[] {
    return this.#sql
      .exec("SELECT second, count FROM reads WHERE second >= ?", Math.floor(since / 1_000))
      .toArray()
      .map((row) => ({ at: Number(row.second) * 1_000, count: Number(row.count) }));
  }

  /** Deletes what no longer counts. */
  purge(now: number): void {
    this.#sql.exec("DELETE FROM reads WHERE second < ?", Math.floor(now / 1_000) - READS_COUNT_S);
  }
}
