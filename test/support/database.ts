/** What rests in D1: a request that must change nothing leaves it as it was. */
import { bindings, type Json } from "./gateway.ts";

/** Every row of every table, by the table's name. */
export async function wholeDatabase(): Promise<Json> {
  const { DB } = bindings;
  const tables = await DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name <> 'd1_migrations'",
  ).all<{ name: string }>();
  const all: Json = {};
  for (const { name } of tables.results) {
    const { results } = await DB.prepare(`SELECT * FROM ${name}`).all();
    // The asking key's own last use is noted whatever the answer, some time after it.
    all[name] = results.map(({ last_used_at: _, ...row }) => row);
  }
  return all;
}
