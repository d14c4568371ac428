/** The contents of D1, to check that a request changed nothing. */
import { bindings, type Json } from "./gateway.ts";

/** Every row of every table, by table name. */
export async function wholeDatabase(): Promise<Json> {
  const { DB } = bindings;
  const tables = await DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name <> 'd1_migrations'",
  ).all<{ name: string }>();
  const contents = await DB.batch<Json>(
    tables.results.map(({ name }) => DB.prepare(`SELECT * FROM ${name}`)),
  );
  const all: Json = {};
  for (const [i, { name }] of tables.results.entries()) {
    // The API key's `last_used_at` is recorded after the response, whatever the response is.
    all[name] = contents[i]?.results.map(({ last_used_at: _, ...row }) => row);
  }
  return all;
}
