/** Dumps of everything stored, as text to search: D1, an object's SQLite, the archive bucket. */

import { runInDurableObject } from "cloudflare:test";
import { dataKeyContext } from "../../src/crypto/contexts.ts";
import { type DataKey, unwrapDataKey } from "../../src/crypto/vault.ts";
import { readSettings } from "../../src/env.ts";
import { parseFileId } from "../../src/gate/file-id.ts";
import type { GateAddress } from "../../src/model.ts";
import { gateOfFile } from "./forwarding.ts";
import { onInbox } from "./gate.ts";
import { bindings } from "./gateway.ts";

const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'";

/** Text unchanged, bytes as Latin-1, so that an ASCII marker is found in both. */
function textOf(value: unknown): string {
  const bytes =
    value instanceof ArrayBuffer
      ? new Uint8Array(value)
      : ArrayBuffer.isView(value)
        ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
        : Array.isArray(value)
          ? Uint8Array.from(value as number[])
          : null;
  return bytes === null ? String(value) : new TextDecoder("latin1").decode(bytes);
}

export async function dumpDatabase(): Promise<string> {
  let text = "";
  const { results: tables } = await bindings.DB.prepare(TABLES).all<{ name: string }>();
  for (const { name } of tables) {
    const { results } = await bindings.DB.prepare(`SELECT * FROM "${name}"`).all();
    for (const row of results) text += `${name}|${Object.values(row).map(textOf).join("|")}\n`;
  }
  return text;
}

export function dumpGate(fileId: string): Promise<string> {
  return runInDurableObject(gateOfFile(fileId), (_gate, { storage }) => {
    let text = "";
    for (const { name } of storage.sql.exec<{ name: string }>(TABLES).toArray()) {
      for (const row of storage.sql.exec(`SELECT * FROM "${name}"`))
        text += `${name}|${Object.values(row).map(textOf).join("|")}\n`;
    }
    return text;
  });
}

export async function dumpArchive(): Promise<string> {
  let text = "";
  for (const { key } of (await bindings.ARCHIVE.list()).objects) {
    const object = await bindings.ARCHIVE.get(key);
    text += `${key}|${object === null ? "" : textOf(await object.arrayBuffer())}\n`;
  }
  return text;
}

/** One column of a file's row. */
export function columnOf(fileId: string, column: string): Promise<SqlStorageValue | undefined> {
  return runInDurableObject(gateOfFile(fileId), (_gate, { storage }) => {
    const seq = parseFileId(fileId)?.seq ?? "";
    return onInbox(storage.sql, `SELECT ${column} AS value FROM inbox WHERE seq = ?`, seq)[0]?.value;
  });
}

export async function dataKeyOf(gate: GateAddress): Promise<DataKey> {
  const table = gate.kind === "key" ? "api_keys" : "connections";
  const row = await bindings.DB.prepare(`SELECT data_key FROM ${table} WHERE id = ?`)
    .bind(gate.id)
    .first<{ data_key: string }>();
  if (row === null) throw new Error(`no row for ${gate.kind} ${gate.id}`);
  return unwrapDataKey(readSettings(bindings).keyRing, row.data_key, dataKeyContext(gate));
}
