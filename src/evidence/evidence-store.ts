/**
 * The evidence of one gate or request log: a row for each minute in which requests were refused or repeated. A row has exact
 * counts of the minute and its first ten and newest ten requests in detail, so that a flood costs one row for each note.
 *
 * Deleted by the object's alarm: rows 30 days after their minute; details of the oldest minutes when there are more than a
 * thousand; all details when the data key of the connection or key is erased. After that only counts are kept.
 */
import { setBounded } from "../bounded-map.ts";
import { addCounts, type Counts } from "../usage/counts.ts";
import { HOUR_MS } from "../usage/periods.ts";
import type { Note, RequestEntry } from "./request-entry.ts";
import { isBefore, type PartOfPage, type PlacedRequest, type RequestQuery } from "./request-page.ts";

export const MINUTE_MS = 60_000;
export const KEEP_EVIDENCE_MS = 30 * 86_400_000;
export const MAX_SAMPLES = 1_000;
/** Of a minute: so many of its first requests, and of its newest. */
export const SAMPLES_AT_EACH_END = 10;
/** The clock of an isolate is at most this far ahead. */
const AHEAD_MINUTES = 5;
/** A note is repeated within minutes; each isolate sends one a second. */
const REMEMBERED_NOTES = 100;
const BETWEEN_PURGES_MS = 3_600_000;
/** Rows that one page reads. */
const MINUTES_PER_PAGE = 500;
const HOUR_MINUTES = HOUR_MS / MINUTE_MS;
/** Hours whose counts by code are remembered: all that are kept. */
const REMEMBERED_HOURS = KEEP_EVIDENCE_MS / HOUR_MS + 2;
/** Hours that are counted without a break: some ten milliseconds for a busy gate. */
const HOURS_AT_A_TIME = 12;
/** Codes and measures of one minute. The code's own set is smaller. */
const MAX_COUNTS = 1_000;

/** Part of the first migration of a request log and of the second of a gate: never edit it. */
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

/** Part of the next migration of both: never edit it. The alarm of a busy gate rings twice a minute, and must not read a month of rows to find those with details. */
export function createSampledIndex(sql: SqlStorage): void {
  sql.exec("CREATE INDEX evidence_sampled ON evidence (minute, sampled) WHERE sampled > 0");
}

interface MinuteRow {
  counts: Counts;
  notes: string[];
  first: RequestEntry[];
  newest: RequestEntry[];
}

/** The measure that counts a code. */
export function measureOf(code: string): string {
  return code === "DUPLICATE" ? "duplicate" : `refused:${code}`;
}

export class EvidenceStore {
  readonly #sql: SqlStorage;
  readonly #onChange: (at: number, now: number) => void;
  /** Of whole hours, until they change. */
  readonly #codes = new Map<number, Record<string, number>>();
  #recentNotes: string[] = [];
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
    if (this.#recentNotes.includes(note.id)) return;
    this.#recentNotes = [...this.#recentNotes, note.id].slice(-REMEMBERED_NOTES);
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

  /**
   * The counts of refused and repeated requests by code, over whole minutes. A month of a busy gate takes more than a second to count,
   * so other calls are served in between, and an hour that has been counted is remembered. `pause`: ends when they have had their turn.
   */
  async codesBetween(
    since: number,
    until: number,
    pause: () => Promise<void>,
  ): Promise<Record<string, number>> {
    const codes: Record<string, number> = {};
    const end = Math.ceil(until / MINUTE_MS);
    let counted = 0;
    let next: number | null = minuteOf(since);
    while (next !== null && next < end) {
      const from: number = next;
      const hour = Math.floor(from / HOUR_MINUTES);
      const to = Math.min((hour + 1) * HOUR_MINUTES, end);
      const isWhole = to - from === HOUR_MINUTES;
      const known = isWhole ? this.#codes.get(hour) : undefined;
      next = to;
      if (known !== undefined) {
        addCounts(codes, known);
        continue;
      }
      const counts = this.countsBetween(from, to);
      const found = codesOf(counts);
      addCounts(codes, found);
      if (Object.keys(counts).length === 0) next = this.#hourFrom(to, end);
      else if (isWhole) setBounded(this.#codes, hour, found, REMEMBERED_HOURS);
      if (++counted % HOURS_AT_A_TIME === 0) await pause();
    }
    return codes;
  }

  /** The first minute of the first hour that has a row from `fromMinute` on, before `toMinute`. */
  #hourFrom(fromMinute: number, toMinute: number): number | null {
    const { first } = this.#sql
      .exec(
        "SELECT min(minute) AS first FROM evidence WHERE minute >= ? AND minute < ?",
        fromMinute,
        toMinute,
      )
      .one();
    return first === null ? null : Math.floor(Number(first) / HOUR_MINUTES) * HOUR_MINUTES;
  }

  /** The requests in detail that the query asks for, up to one more than its limit. */
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
      const { first, newest } = parsedSamples(row.samples);
      for (const entry of [...first, ...newest].reverse()) {
        const placed = { at: entry.at, tie: entry.requestId, entry };
        const within = entry.at >= since && entry.at < until && isBefore(placed, before);
        const asked =
          (outcome === null || entry.outcome === outcome) && (code === null || entry.code === code);
        if (within && asked) requests.push(placed);
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

  /** The request with this id that came at `at`, if it is kept in detail. */
  find(requestId: string, at: number): RequestEntry | null {
    const [row] = this.#sql.exec("SELECT samples FROM evidence WHERE minute = ?", minuteOf(at)).toArray();
    const { first, newest } = parsedSamples(row?.samples ?? null);
    return [...first, ...newest].find((entry) => entry.requestId === requestId) ?? null;
  }

  /** Deletes all details. Counts stay. */
  erase(): void {
    this.#sql.exec("UPDATE evidence SET samples = NULL, sampled = 0 WHERE sampled > 0");
  }

  /** When the alarm has to ring for it; null if there is nothing to delete. */
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
    for (const hour of [...this.#codes.keys()]) if (hour * HOUR_MINUTES < keptFrom) this.#codes.delete(hour);
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
    this.#codes.delete(Math.floor(minute / HOUR_MINUTES));
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
      JSON.stringify(bounded(row.counts)),
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

function codesOf(counts: Counts): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).flatMap(([measure, n]) => {
      if (measure === "duplicate") return [["DUPLICATE", n]];
      return measure.startsWith("refused:") ? [[measure.slice("refused:".length), n]] : [];
    }),
  );
}

export function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}

function within(minute: number, now: number): number {
  return Math.min(minute, minuteOf(now) + AHEAD_MINUTES);
}

function bounded(counts: Counts): Counts {
  const all = Object.entries(counts);
  return all.length <= MAX_COUNTS ? counts : Object.fromEntries(all.slice(0, MAX_COUNTS));
}

function parsedSamples(text: SqlStorageValue | undefined): Pick<MinuteRow, "first" | "newest"> {
  return typeof text === "string" ? JSON.parse(text) : { first: [], newest: [] };
}

function inOrder(requests: PlacedRequest[]): PlacedRequest[] {
  return requests.sort((a, b) => (isBefore(a, b) ? 1 : -1));
}
