/**
 * The tables that hold a gate's file rows, one per day at most. A partition holds the files minted from its day up to the day of
 * the next partition; the oldest also holds older files. So a row key determines the partition, and old files leave by dropping a
 * table, which is billed as no row, while deleting bills each row. A day gets its own partition only if the previous one has grown
 * large enough to be worth dropping.
 *
 * Statements name the table `inbox`, which stands for the partition. Read their rows to the end: SQLite cannot drop a table while
 * a cursor is open.
 */
import { rowKeyOf, seqAt } from "./file-id.ts";
import { type FileRow, parseRow } from "./file-row.ts";

type SqlRow = Record<string, SqlStorageValue>;

const KEYS_A_DAY = rowKeyOf(seqAt(86_400_000));
/** Creating a table writes five rows. */
const ROWS_WORTH_A_TABLE = 100;
/** The platform's limit for the terms of a compound SELECT. */
const PARTS_OF_A_SELECT = 5;
const TEMPLATE = "inbox_template";
const NEWEST_KEY = "SELECT key FROM inbox ORDER BY key DESC LIMIT 1";
const COUNT_UP_TO = "SELECT count(*) AS n FROM (SELECT 1 FROM inbox LIMIT ?)";

export class DayPartition {
  readonly name: string;
  /** The first row key of its day. */
  readonly from: number;
  /** Whether files from this row key on get a partition of their own is still undecided. */
  nextDay: number;
  readonly #sql: SqlStorage;
  readonly #statements = new Map<string, string>();
  /** Groups of states in which no row of the partition has a due time. */
  readonly #undue = new Set<string>();

  constructor(sql: SqlStorage, name: string) {
    this.#sql = sql;
    this.name = name;
    this.from = Number(name.slice("inbox_".length)) * KEYS_A_DAY;
    this.nextDay = this.from + KEYS_A_DAY;
  }

  exec(query: string, ...values: unknown[]): SqlStorageCursor<SqlRow> {
    return this.#sql.exec(this.statement(query), ...values);
  }

  /** `query` with the name of this table in it. */
  statement(query: string): string {
    const known = this.#statements.get(query);
    if (known !== undefined) return known;
    const statement = query.replaceAll(/\binbox\b/g, this.name);
    this.#statements.set(query, statement);
    return statement;
  }

  newestKey(): number | null {
    const [newest] = this.exec(NEWEST_KEY).toArray();
    return newest === undefined ? null : Number(newest.key);
  }

  get isWorthDropping(): boolean {
    return Number(this.exec(COUNT_UP_TO, ROWS_WORTH_A_TABLE).one().n) >= ROWS_WORTH_A_TABLE;
  }

  /** To be called when a row gets a due time. */
  noteDue(): void {
    this.#undue.clear();
  }

  /** Whether a row in one of `states` may have a due time. Costs no query. */
  mayBeDue(states: string): boolean {
    return !this.#undue.has(states);
  }

  /** The earliest due time of rows in one of `states`. Queries the table only if there may be one. */
  earliestDue(states: string): number | null {
    if (this.#undue.has(states)) return null;
    const { at } = this.exec(
      `SELECT min(due_at) AS at FROM inbox WHERE due_at IS NOT NULL AND ${states}`,
    ).one();
    if (at === null) this.#undue.add(states);
    return at === null ? null : Number(at);
  }
}

export class DayPartitions {
  readonly #sql: SqlStorage;
  /** Oldest first. */
  readonly #partitions: DayPartition[];

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#partitions = sql
      .exec("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'inbox_[0-9]*'")
      .toArray()
      .map(({ name }) => new DayPartition(sql, String(name)))
      .sort((a, b) => a.from - b.from);
  }

  /** Oldest first. */
  get all(): readonly DayPartition[] {
    return this.#partitions;
  }

  /** The partition of the file with this row key. Undefined while there is no partition at all. */
  of(key: number): DayPartition | undefined {
    return this.#partitions.findLast((partition) => partition.from <= key) ?? this.#partitions[0];
  }

  /** The partitions of the row keys from `from` up to but not including `to`, oldest first. */
  between(from: number, to: number): DayPartition[] {
    return this.#partitions.filter(
      (partition, i, all) =>
        (i === 0 || partition.from < to) && (all[i + 1]?.from ?? Number.POSITIVE_INFINITY) > from,
    );
  }

  /** The partition for a new file. The first file of a day may create one. */
  forNew(key: number): DayPartition {
    const partition = this.of(key);
    if (partition !== undefined && key < partition.nextDay) return partition;
    const day = Math.floor(key / KEYS_A_DAY);
    // No new partition if this one already holds a file of that day: that file would not be found in the new one.
    if (
      partition === undefined ||
      ((partition.newestKey() ?? 0) < day * KEYS_A_DAY && partition.isWorthDropping)
    )
      return this.#create(`inbox_${day}`);
    partition.nextDay = (day + 1) * KEYS_A_DAY;
    return partition;
  }

  drop(partition: DayPartition): void {
    this.#sql.exec(`DROP TABLE ${partition.name}`);
    this.#partitions.splice(this.#partitions.indexOf(partition), 1);
  }

  /** All rows of `query` in `partitions`, not ordered across them. Its parameters must be numbered. */
  select(partitions: readonly DayPartition[], query: string, ...values: unknown[]): SqlRow[] {
    const rows: SqlRow[] = [];
    for (let i = 0; i < partitions.length; i += PARTS_OF_A_SELECT) {
      const parts = partitions.slice(i, i + PARTS_OF_A_SELECT).map((partition) => partition.statement(query));
      rows.push(...this.#sql.exec(parts.join(" UNION ALL "), ...values).toArray());
    }
    return rows;
  }

  #create(name: string): DayPartition {
    const statements = this.#sql
      .exec("SELECT sql FROM sqlite_schema WHERE tbl_name = ? ORDER BY type = 'index'", TEMPLATE)
      .toArray();
    for (const { sql } of statements) this.#sql.exec(String(sql).replaceAll(TEMPLATE, name));
    const partition = new DayPartition(this.#sql, name);
    this.#partitions.push(partition);
    this.#partitions.sort((a, b) => a.from - b.from);
    return partition;
  }
}

/** At most `limit` files, one partition after the other. The limit is the last parameter of `query`. */
export function rowsOf(
  partitions: readonly DayPartition[],
  query: string,
  values: unknown[],
  limit: number,
): FileRow[] {
  const rows: FileRow[] = [];
  for (const partition of partitions) {
    if (rows.length === limit) break;
    rows.push(
      ...partition
        .exec(query, ...values, limit - rows.length)
        .toArray()
        .map(parseRow),
    );
  }
  return rows;
}
