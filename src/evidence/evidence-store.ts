/**
 * The evidence of one gate or request log: a row for each minute in which requests were refused or repeated. A row has exact
 * counts of the minute and its first ten and newest ten requests in detail, so that a flood costs one row for each note.
 *
 * Deleted by the object's alarm: rows 30 days after their minute; details of the oldest minutes when there are more than a
 * thousand; all details when the data key of the connection or key is erased. After that only counts are kept.
 */
import { addCounts, type Counts } from "../usage/counts.ts";
import { HOUR_MS, MINUTE_MS, minuteOf } from "../usage/periods.ts";
import { CodeCounts, measureOf } from "./code-counts.ts";
import type { Note, RequestEntry } from "./request-entry.ts";
import { isBefore, type PartOfPage, type PlacedRequest, type RequestQuery } from "./request-page.ts";

export const KEEP_EVIDENCE_MS = 30 * 86_400_000;
export const MAX_SAMPLES = 1_000;
/** So many of a minute's first requests are kept in detail, and as many of its newest. */
export const SAMPLES_AT_EACH_END = 10;
/** The clock of an isolate is at most this far ahead. */
const AHEAD_MINUTES = 5;
/** Enough for the minute of a gate with one isolate, which sends a note a second, and for most repeats with several. */
const REMEMBERED_NOTES = 100;
const BETWEEN_PURGES_MS = 3_600_000;
/** Rows that one page reads. */
const MINUTES_PER_PAGE = 500;

/** A migration of request logs and gates: never edit it. */
export function createEvidenceTable(sql: SqlStorage): void {
  sql.exec(`
    CREATE TABLE evidence (
      minute INTEGER PRIMARY KEY,
      counts TEXT NOT NULL,
      notes TEXT NOT NULL,
      sampled INTEGER NOT NULL,
      samples TEXT
    )`);
}

/** A migration: never edit it. The alarm of a busy gate runs twice a minute, and must not read a month of rows to find those with details. */
export function createSampledIndex(sql: SqlStorage): void {
  sql.exec("CREATE INDEX evidence_sampled ON evidence (minute, sampled) WHERE sampled > 0");
}

interface MinuteRow {
  counts: Counts;
  notes: string[];
  first: RequestEntry[];
  newest: RequestEntry[];
}

export class EvidenceStore {
  readonly codes = new CodeCounts(this);
  readonly #sql: SqlStorage;
  readonly #onChange: (at: number, now: number) => void;
  #oldest: number | null;
  #purgedAt = 0;
  #addedSamples = 0;

  /** `onChange`: called with a time in each hour whose counts change. */
  constructor(sql: SqlStorage, onChange: (at: number, now: number) => void) {
    this.#sql = sql;
    this.#onChange = onChange;
    const { oldest } = sql.exec("SELECT min(minute) AS oldest FROM evidence").one();
    this.#oldest = oldest === null ? null : Number(oldest);
  }

  /** Writes one row for each minute of the note. A repeated note changes nothing. */
  note(note: Note, now: number, { inDetail }: { inDetail: boolean }): void {
    const minutes = new Map<number, { counts: Counts; samples: RequestEntry[] }>();
    const of = (minute: number) => {
      const known = minutes.get(within(minute, now)) ?? { counts: {}, samples: [] };
      minutes.set(within(minute, now), known);
      return known;
    };
    for (const { minute, code, n } of note.counts) addCounts(of(minute).counts, { [measureOf(code)]: n });
    if (inDetail) for (const entry of note.samples) of(minuteOf(entry.at)).samples.push(entry);
    for (const [minute, { counts, samples }] of minutes) this.#add(minute, note.id, counts, samples, now);
  }

  /** The counts of the minutes from `fromMinute` up to but not including `toMinute`, by measure. */
  countsBetween(fromMinute: number, toMinute: number): Counts {
    const rows = this.#sql.exec(
      `SELECT key, sum(value) AS n FROM evidence, json_each(counts)
       WHERE minute >= ? AND minute < ? GROUP BY key`,
      fromMinute,
      toMinute,
    );
    return Object.fromEntries(rows.toArray().map(({ key, n }) => [String(key), Number(n)]));
  }

  /** The counts of each minute that has any, from `from` up to but not including `to`, both ms, by measure. */
  minutesBetween(from: number, to: number): { at: number; counts: Counts }[] {
    return this.#sql
      .exec(
        "SELECT minute, counts FROM evidence WHERE minute >= ? AND minute < ?",
        minuteOf(from),
        minuteOf(to),
      )
      .toArray()
      .map(({ minute, counts }) => ({ at: Number(minute) * MINUTE_MS, counts: JSON.parse(String(counts)) }));
  }

  /** The counts of the hour that begins at `at`. */
  countsOfHour(at: number): Counts {
    return this.countsBetween(at / MINUTE_MS, (at + HOUR_MS) / MINUTE_MS);
  }

  /** The first minute that has a row, from `fromMinute` up to but not including `toMinute`. */
  firstBetween(fromMinute: number, toMinute: number): number | null {
    const { first } = this.#sql
      .exec(
        "SELECT min(minute) AS first FROM evidence WHERE minute >= ? AND minute < ?",
        fromMinute,
        toMinute,
      )
      .one();
    return first === null ? null : Number(first);
  }

  /** The requests that match the query and are kept in detail, up to one more than its limit. */
  page({ outcome, code, since, until, before, limit }: RequestQuery): PartOfPage {
    if (outcome === "accepted") return { requests: [], more: false, readTo: null };
    const newest = Math.min(until, before === null ? Number.POSITIVE_INFINITY : before.at + 1);
    const rows = this.#sql
      .exec(
        "SELECT minute, samples FROM evidence WHERE minute >= ? AND minute <= ? ORDER BY minute DESC LIMIT ?",
        minuteOf(since),
        minuteOf(Math.min(newest, Number.MAX_SAFE_INTEGER)),
        MINUTES_PER_PAGE,
      )
      .toArray();
    const requests: PlacedRequest[] = [];
    for (const row of rows) {
      for (const entry of samplesOf(row.samples)) {
        const placed = { at: entry.at, tie: entry.requestId, entry };
        const isInRange = entry.at >= since && entry.at < until && isBefore(placed, before);
        const matches =
          (outcome === null || entry.outcome === outcome) && (code === null || entry.code === code);
        if (isInRange && matches) requests.push(placed);
      }
      if (requests.length > limit) return { requests: inOrder(requests), more: true, readTo: null };
    }
    const last = rows.at(-1);
    const stopped = rows.length === MINUTES_PER_PAGE && last !== undefined;
    return {
      requests: inOrder(requests),
      more: stopped,
      readTo: stopped ? Number(last.minute) * MINUTE_MS : null,
    };
  }

  /** The request with this id, which arrived at `at`, if it is kept in detail. */
  find(requestId: string, at: number): RequestEntry | null {
    const [row] = this.#sql.exec("SELECT samples FROM evidence WHERE minute = ?", minuteOf(at)).toArray();
    return samplesOf(row?.samples).find((entry) => entry.requestId === requestId) ?? null;
  }

  /** Deletes all details. Counts stay. */
  erase(): void {
    this.#sql.exec("UPDATE evidence SET samples = NULL, sampled = 0 WHERE sampled > 0");
  }

  /** When the alarm must call {@link purge}; null if there is nothing to delete. */
  nextAt(): number | null {
    if (this.#oldest === null) return null;
    if (this.#addedSamples > MAX_SAMPLES / SAMPLES_AT_EACH_END) return this.#purgedAt + MINUTE_MS;
    return Math.max((this.#oldest + 1) * MINUTE_MS + KEEP_EVIDENCE_MS, this.#purgedAt + BETWEEN_PURGES_MS);
  }

  purge(now: number): void {
    if (this.#oldest === null) return;
    this.#purgedAt = now;
    this.#addedSamples = 0;
    const keptFrom = minuteOf(now - KEEP_EVIDENCE_MS);
    this.#sql.exec("DELETE FROM evidence WHERE minute < ?", keptFrom);
    this.codes.forgetBefore(keptFrom);
    const { oldest, sampled } = this.#sql
      .exec(
        `SELECT (SELECT min(minute) FROM evidence) AS oldest,
           (SELECT sum(sampled) FROM evidence WHERE sampled > 0) AS sampled`,
      )
      .one();
    this.#oldest = oldest === null ? null : Number(oldest);
    let surplus = Number(sampled) - MAX_SAMPLES;
    if (surplus <= 0) return;
    for (const row of this.#sql
      .exec("SELECT minute, sampled FROM evidence WHERE sampled > 0 ORDER BY minute")
      .toArray()) {
      if (surplus <= 0) return;
      surplus -= Number(row.sampled);
      this.#sql.exec("UPDATE evidence SET samples = NULL, sampled = 0 WHERE minute = ?", Number(row.minute));
    }
  }

  #add(minute: number, noteId: string, more: Counts, samples: RequestEntry[], now: number): void {
    const row = this.#read(minute);
    if (row.notes.includes(noteId)) return;
    this.codes.forget(minute);
    addCounts(row.counts, more);
    row.notes.push(noteId);
    for (const entry of samples.toSorted((a, b) => a.at - b.at))
      (row.first.length < SAMPLES_AT_EACH_END ? row.first : row.newest).push(entry);
    const newest = row.newest.toSorted((a, b) => a.at - b.at).slice(-SAMPLES_AT_EACH_END);
    const sampled = row.first.length + newest.length;
    this.#sql.exec(
      // Not REPLACE, which would write the row's entry in the index each time.
      `INSERT INTO evidence (minute, counts, notes, sampled, samples) VALUES (?1, ?2, ?3, ?4, ?5)
       ON CONFLICT (minute) DO UPDATE SET counts = ?2, notes = ?3, sampled = ?4, samples = ?5`,
      minute,
      JSON.stringify(row.counts),
      JSON.stringify(row.notes.slice(-REMEMBERED_NOTES)),
      sampled,
      sampled === 0 ? null : JSON.stringify({ first: row.first, newest }),
    );
    this.#addedSamples += samples.length;
    this.#oldest = Math.min(this.#oldest ?? minute, minute);
    this.#onChange(minute * MINUTE_MS, now);
  }

  #read(minute: number): MinuteRow {
    const [row] = this.#sql
      .exec("SELECT counts, notes, samples FROM evidence WHERE minute = ?", minute)
      .toArray();
    if (row === undefined) return { counts: {}, notes: [], first: [], newest: [] };
    return {
      counts: JSON.parse(String(row.counts)),
      notes: JSON.parse(String(row.notes)),
      ...parsedSamples(row.samples),
    };
  }
}

function within(minute: number, now: number): number {
  return Math.min(minute, minuteOf(now) + AHEAD_MINUTES);
}

function parsedSamples(text: SqlStorageValue | undefined): Pick<MinuteRow, "first" | "newest"> {
  return typeof text === "string" ? JSON.parse(text) : { first: [], newest: [] };
}

function samplesOf(text: SqlStorageValue | undefined): RequestEntry[] {
  const { first, newest } = parsedSamples(text);
  return [...first, ...newest];
}

function inOrder(requests: PlacedRequest[]): PlacedRequest[] {
  return requests.sort((a, b) => (isBefore(a, b) ? 1 : -1));
}
