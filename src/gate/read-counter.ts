/** Counts the reads of the gate's API key per second: exact across restarts, at one row per read. */

/** Longer than the longest rate window and its bucket together. */
const READS_COUNT_S = 3_720;
/** The oldest row is kept this long, so that the alarm that deletes rows runs once per hour and not after every read. */
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

  /** When the oldest row is to be deleted; null without any. */
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

  /** Deletes reads that no longer count. */
  purge(now: number): void {
    this.#sql.exec("DELETE FROM reads WHERE second < ?", Math.floor(now / 1_000) - READS_COUNT_S);
  }
}
