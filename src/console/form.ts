/** Forms that pages post to themselves. */
import type { ConsoleContext } from "./console-host.ts";

/** The text fields of a posted form. A field that is sent twice counts with its last value; files are left out. */
export async function formOf(c: ConsoleContext): Promise<Record<string, string>> {
  const fields = Object.entries(await c.req.parseBody());
  return Object.fromEntries(
    fields.flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  );
}
