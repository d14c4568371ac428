/**
 * The fixture of stored data, `test/vectors/stored-formats.jsonl`: everything that released code had stored in D1, in the gates
 * and in the archive bucket. One JSON value per line: an object, or an array with the values of one row of the table named
 * above it. Bytes are `{"base64": …}`. Names of tables, columns, marks and objects are literals in the fixture and in its tests,
 * because a name taken from the source would change along with it.
 *
 * The fixture's clock is set to 2060, so that no alarm it sets is due on a real clock: alarms run only when a test runs them.
 */
import { applyD1Migrations, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import fixtureText from "../vectors/stored-formats.jsonl?raw";
import { bindings, type Json } from "./gateway.ts";

/** Plaintext that the tests compare opened values with. */
export interface Known {
  connection: { id: string; secret: string; oldSecret: string };
  /** Its `same_body` is `deduplicate`. */
  deduplicating: { id: string; secret: string };
  /** Deleted, with an erasure that is not due yet. */
  leaving: { id: string };
  key: { id: string; token: string };
  /** As `leaving`. */
  leavingKey: { id: string };
  webhook: { id: string; url: string; secret: string; newSecret: string; headers: Record<string, string> };
  /** Limited to one delivery per minute, with one pending. */
  paced: { id: string };
  /** Disabled by its receiver's 410. */
  gone: { id: string };
  replay: string;
  /** Its outbound data is to be erased. */
  leavingOwner: string;
  files: Record<string, StoredFile>;
  /** Requests for the tests to repeat. */
  requests: Record<string, StoredRequest>;
}

export interface StoredFile {
  id: string;
  /** The body, or the length of the padding in a large one. */
  body: string | { padding: number };
}

export interface StoredRequest {
  path: string;
  headers: Record<string, string>;
  body: StoredFile["body"];
  /** What a repeat is answered with. */
  status: number;
  answer: Json;
}

/** A read of the API, and its answer when the fixture was written. */
export interface Asked {
  path: string;
  as: "portal" | "key";
  json: Json;
}

type Value = string | number | null | { base64: string };
type Row = Record<string, Value>;

type Line =
  | { in: "about"; written_at: number; migrations: string[] }
  | { in: "known"; known: Known }
  | ({ in: "answer" } & Asked)
  | { in: "database"; table: string; columns: string[]; rows: Value[][] }
  | { in: "gate"; object: string; alarm: number | null }
  | { in: "gate"; object: string; sql: string }
  | { in: "gate"; object: string; table: string; columns: string[]; rows: Value[][] }
  | { in: "archive"; key: string; base64: string };

export function bodyOf(body: StoredFile["body"]): string {
  return typeof body === "string" ? body : `{"employees":[{}],"padding":"${"x".repeat(body.padding)}"}`;
}

function base64Of(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

// --- reading ---

function parse(text: string): Line[] {
  const parsed: Line[] = [];
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const value: Line | Value[] = JSON.parse(line);
    const last = parsed.at(-1);
    if (!Array.isArray(value)) parsed.push("columns" in value ? { ...value, rows: [] } : value);
    else if (last !== undefined && "rows" in last) last.rows.push(value);
  }
  return parsed;
}

const lines = parse(fixtureText);

function only<In extends Line["in"]>(part: In): Extract<Line, { in: In }>[] {
  return lines.filter((line): line is Extract<Line, { in: In }> => line.in === part);
}

function fixture() {
  const [about] = only("about");
  const [known] = only("known");
  if (about === undefined || known === undefined) throw new Error("the fixture is empty");
  return { about, known: known.known };
}

export const stored = {
  get writtenAt(): number {
    return fixture().about.written_at;
  },
  get known(): Known {
    return fixture().known;
  },
  answers: only("answer"),
  /** Rows of a table of D1, or of a gate. */
  rows: (table: string, object?: string): Row[] =>
    lines
      .filter((line) => "rows" in line)
      .filter((line) => line.table === table && ("object" in line ? line.object : undefined) === object)
      .flatMap(({ columns, rows }) =>
        rows.map((values) => Object.fromEntries(columns.map((column, i) => [column, values[i] ?? null]))),
      ),
  archive: new Map(only("archive").map(({ key, base64 }) => [key, bytesOf(base64)])),
};

/** Replaces everything stored by the fixture, and sets the clock to the time at which it was written. */
export async function load(): Promise<void> {
  const { about } = fixture();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(about.written_at);
  await loadDatabase(about.migrations);
  for (const name of objectNames()) await loadGate(name);
  for (const { key } of (await bindings.ARCHIVE.list()).objects) await bindings.ARCHIVE.delete(key);
  for (const [key, bytes] of stored.archive) await bindings.ARCHIVE.put(key, bytes);
}

/** Applies the migrations of the time, inserts the rows, then applies the later migrations. */
async function loadDatabase(migrations: readonly string[]): Promise<void> {
  const { DB } = bindings;
  await DB.batch((await databaseTables()).map((name) => DB.prepare(`DROP TABLE ${name}`)));
  await applyD1Migrations(
    DB,
    env.MIGRATIONS.filter(({ name }) => migrations.includes(name)),
  );
  await DB.batch(
    only("database").flatMap((line) =>
      line.rows.map((row) => DB.prepare(insertInto(line)).bind(...row.map(bound))),
    ),
  );
  await applyD1Migrations(DB, env.MIGRATIONS);
}

/** The tables of D1, by name, without those of the platform. */
async function databaseTables(): Promise<string[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name",
  ).all<{ name: string }>();
  return results.map(({ name }) => name);
}

function objectNames(): string[] {
  return [...new Set(only("gate").map(({ object }) => object))];
}

/** Replaces the tables of a fresh object, then evicts it: its next call constructs it from the stored tables. */
async function loadGate(name: string): Promise<void> {
  const stub = bindings.CONNECTION_GATE.getByName(name);
  await runInDurableObject(stub, async (_gate, { storage }) => {
    for (const { name: table } of storage.sql
      .exec("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")
      .toArray())
      storage.sql.exec(`DROP TABLE ${table}`);
    for (const line of only("gate").filter(({ object }) => object === name)) {
      if ("sql" in line) storage.sql.exec(line.sql);
      else if ("rows" in line)
        for (const row of line.rows) storage.sql.exec(insertInto(line), ...row.map(bound));
      else if (line.alarm !== null) await storage.setAlarm(line.alarm);
    }
  });
  await evictDurableObject(stub);
}

function insertInto({ table, columns }: { table: string; columns: readonly string[] }): string {
  const names = columns.map((column) => `"${column}"`).join(", ");
  return `INSERT INTO ${table} (${names}) VALUES (${columns.map(() => "?").join(", ")})`;
}

function bound(value: Value): string | number | null | ArrayBuffer {
  return value !== null && typeof value === "object" ? bytesOf(value.base64).buffer : value;
}

// --- opening, without the code under test ---

/** `test-1` in the tests' `VAULT_KEYS`. */
const RING_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/** Opens a sealed value from the documented format alone. */
export async function openSealed(
  wrapped: { key: string; context: string },
  sealed: Uint8Array<ArrayBuffer>,
  context: string,
): Promise<string> {
  const algorithm = { name: "AES-GCM", length: 256 };
  const ring = await crypto.subtle.importKey("raw", bytesOf(RING_KEY), algorithm, false, ["decrypt"]);
  const raw = await decrypted(ring, bytesOf(wrapped.key.slice("test-1.".length)), wrapped.context);
  const master = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode("audit1 seal");
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  const key = await crypto.subtle.deriveKey(hkdf, master, algorithm, false, ["decrypt"]);
  return new TextDecoder().decode(await decrypted(key, sealed, context));
}

/** `0x01 | nonce (12) | AES-256-GCM ciphertext and tag`, bound to a context. */
function decrypted(key: CryptoKey, sealed: Uint8Array<ArrayBuffer>, context: string): Promise<ArrayBuffer> {
  if (sealed[0] !== 1) throw new Error("not a sealed value");
  const additionalData = new TextEncoder().encode(context);
  return crypto.subtle.decrypt(
    { name: "AES-GCM", iv: sealed.slice(1, 13), additionalData },
    key,
    sealed.slice(13),
  );
}

// --- writing ---

/** Everything stored, as the text of a fixture. */
export async function dump(
  known: Known,
  answers: readonly Asked[],
  gates: readonly string[],
): Promise<string> {
  const { DB } = bindings;
  const written: Line[] = [
    { in: "about", written_at: Date.now(), migrations: env.MIGRATIONS.map(({ name }) => name) },
    { in: "known", known },
    ...answers.map((answer): Line => ({ in: "answer", ...answer })),
  ];
  for (const name of await databaseTables()) {
    if (name === "d1_migrations") continue;
    const { results: rows } = await DB.prepare(`SELECT * FROM ${name}`).all<Row>();
    written.push({ in: "database", table: name, ...inColumns(rows) });
  }
  for (const name of gates) written.push(...(await dumpGate(name)));
  for (const { key } of (await bindings.ARCHIVE.list()).objects) {
    const object = await bindings.ARCHIVE.get(key);
    if (object !== null)
      written.push({ in: "archive", key, base64: base64Of(new Uint8Array(await object.arrayBuffer())) });
  }
  const texts = written.flatMap((line) =>
    "rows" in line
      ? [{ ...line, rows: undefined }, ...line.rows].map((each) => JSON.stringify(each))
      : [JSON.stringify(line)],
  );
  return `${texts.join("\n")}\n`;
}

function inColumns(rows: readonly Row[]): { columns: string[]; rows: Value[][] } {
  return { columns: Object.keys(rows[0] ?? {}), rows: rows.map((row) => Object.values(row)) };
}

function dumpGate(name: string): Promise<Line[]> {
  return runInDurableObject(bindings.CONNECTION_GATE.getByName(name), async (_gate, { storage }) => {
    const lines: Line[] = [];
    const schema = storage.sql
      .exec(
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY type = 'index', name",
      )
      .toArray();
    for (const { sql } of schema)
      lines.push({ in: "gate", object: name, sql: String(sql).replace(/\s+/g, " ") });
    for (const { name: table } of schema.filter(({ type }) => type === "table")) {
      const cursor = storage.sql.exec(`SELECT * FROM ${table}`);
      const rows = [...cursor.raw()].map((row) =>
        row.map((value) =>
          value instanceof ArrayBuffer ? { base64: base64Of(new Uint8Array(value)) } : value,
        ),
      );
      lines.push({ in: "gate", object: name, table: String(table), columns: cursor.columnNames, rows });
    }
    const beside = await storage.list();
    if (beside.size > 0)
      throw new Error("the gate stores values beside its tables, which the fixture would lack");
    lines.push({ in: "gate", object: name, alarm: await storage.getAlarm() });
    return lines;
  });
}
