/** Where the console's pages are. */
import type { AppContext } from "../../http/context.ts";
import { allowsInsecure } from "../../setting-parsers.ts";

/**
 * The console's origin. Null if there is no console. A gateway for local development has its console at the origin of the current
 * request, unless it has another one.
 */
export function consoleOriginOf(c: AppContext): string | null {
  const { origin } = c.get("settings").console;
  if (origin !== null) return origin;
  return allowsInsecure(c.env) ? new URL(c.req.url).origin : null;
}
