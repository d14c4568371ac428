/**
 * The tables of a gate's inbox. Each holds the files minted from its day on, up to the day of the next table; the oldest
 * holds what is older as well. So a file's key says where it is, and old files leave with their table: dropping one is
 * billed as no row at all, deleting its rows as one each. A day gets a table where the one before is worth dropping.
 *
 * Statements are written for a table called `inbox`. Their rows must be read to the end: SQLite drops no table while a
 * cursor is open.
 */
import { rowKeyOf, seqAt } from "./file-id.ts";
import { type FileRow, parseRow } from "./file-row.ts";

type SqlRow = Record<string, SqlStorageValue>;

const KEYS_A_DAY = rowKeyOf(seqAt(86_400_000));
/** Making a table writes five rows. */
const ROWS_WORTH_A_TABLE = 100;
/** The platform lets no statement have more parts. */
const PARTS_OF_A_SELECT = 5;
const TEMPLATE = "inbox_template";
const NEWEST_KEY = "SELECT key FROM inbox ORDER BY key DESC LIMIT 1";
const COUNT_UP_TO = "SELECT count(*) AS n FROM (SELECT 1 FROM inbox LIMIT ?)";

export class DayPartition {
  readonly name: string;
  /** The first key of its day. */
  readonly from: number;
  /** Whether files from this key on want a table of their own has not been asked yet. */
  nextDay: number;
  readonly #sql: SqlStorage;
  readonly #statements = new Map<string, string>();
  /** Groups of states in which no row here has a due time. */
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

  /** `query`, about this table. */
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

  /** A row has got a due time. */
  noteDue(): void {
    this.#undue.clear();
  }

  /** Whether a row in one of `states` may have a due time. */
  mayBeDue(states: string): boolean {
    return !this.#undue.has(states);
  }

  /** The earliest due time of rows in one of `states`; asked of the table only when one may have come. */
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

  /** Where the file is, if anywhere, that is stored under `key`. */
  of(key: number): DayPartition | undefined {
    return this.#partitions.findLast((partition) => partition.from <= key) ?? this.#partitions[0];
  }

  /** Where keys from `from` on are and below `to`, oldest first. */
  between(from: number, to: number): DayPartition[] {
    return this.#partitions.filter(
      (partition, i, all) =>
        (i === 0 || partition.from < to) && (all[i + 1]?.from ?? Number.POSITIVE_INFINITY) > from,
    );
  }

  /** Where a new file goes. The first of its day may begin a table. */
  forNew(key: number): DayPartition {
    const partition = this.of(key);
    if (partition !== undefined && key < partition.nextDay) return partition;
    const day = Math.floor(key / KEYS_A_DAY);
    // A file of that day that is here already would not be found in another table.
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

  /** All rows that `query` finds in `partitions`, in no order across them. Its parameters are numbered. */
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

/** At most `limit` files, one table after the other. The limit is the last parameter of `query`. */
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
