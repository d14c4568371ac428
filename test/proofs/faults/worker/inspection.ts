/** Reads a gate's rows without the gate's code paths. */

import { DayPartitions } from "../../../../src/gate/day-partitions.ts";
import { fileIdOf, mintedAt } from "../../../../src/gate/file-id.ts";
import { FILE_COLUMNS, parseRow, stateCode } from "../../../../src/gate/file-row.ts";
import type { ArchiveLocation } from "../../../../src/gate/protocol.ts";
import { Watermarks } from "../../../../src/gate/watermarks.ts";
import { gateName } from "../../../../src/model.ts";
import type { InboxRow } from "../orders.ts";

const TAKEN = `SELECT seq, payload, stored FROM inbox
  WHERE seq > ? AND state NOT IN (${stateCode("receiving")}, ${stateCode("dropped")}) ORDER BY seq LIMIT ?`;

/** Where one file's payload is stored: in its row or in the archive. */
export interface Kept {
  fileId: string;
  payload: ArrayBuffer | null;
  stored: ArchiveLocation | null;
}

export interface KeptPage {
  wrappedKey: string;
  files: Kept[];
  /** The cursor of the next page; null on the last. */
  last: string | null;
}

/** The gate's id, all its rows, oldest first, and the number of events in its outbox. */
export function inboxOf(sql: SqlStorage): { gate: string; rows: InboxRow[]; owed: number } {
  const gate = new Watermarks(sql).snapshot()?.gate;
  if (gate === undefined) return { gate: "", rows: [], owed: 0 };
  const rows: InboxRow[] = [];
  const all = new DayPartitions(sql).all.flatMap((partition) =>
    partition.exec(`SELECT ${FILE_COLUMNS}, payload IS NULL AS gone FROM inbox ORDER BY seq`).toArray(),
  );
  for (const raw of all) {
    const { seq, facts, stored, state, admittedAt, dueAt } = parseRow(raw);
    rows.push({
      fileId: fileIdOf(gate, seq),
      requestId: facts.callerRequestId ?? "",
      state,
      admittedAt,
      mintedAt: mintedAt(seq),
      dueAt,
      archived: stored !== null && Number(raw.gone) === 1,
    });
  }
  const owed = Number(sql.exec("SELECT count(*) AS n FROM owed").one().n);
  return { gate: gateName(gate), rows, owed };
}

/** The stored payloads of admitted files: at most `limit`, after the key `after`. */
export function keptPage(sql: SqlStorage, after: string, limit: number): KeptPage {
  const snapshot = new Watermarks(sql).snapshot();
  if (snapshot === null) return { wrappedKey: "", files: [], last: null };
  const rows: Record<string, SqlStorageValue>[] = [];
  for (const partition of new DayPartitions(sql).all)
    rows.push(...partition.exec(TAKEN, after, limit - rows.length));
  return {
    wrappedKey: snapshot.wrappedKey,
    files: rows.map((row) => ({
      fileId: fileIdOf(snapshot.gate, String(row.seq)),
      payload: row.payload instanceof ArrayBuffer ? row.payload : null,
      stored: row.stored === null ? null : JSON.parse(String(row.stored)),
    })),
    last: rows.length === limit ? String(rows.at(-1)?.seq) : null,
  };
}
