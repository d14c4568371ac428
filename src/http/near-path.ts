/** Suggests an existing path for a request whose path or method does not exist. Pure. */

/** A route of the router: a middleware's method is `ALL`. */
export interface Route {
  method: string;
  path: string;
}

/** A longer path is unlikely to be a typing error. */
const LONGEST_PATH_CHARS = 200;

/**
 * An existing path that differs from `path` only in prefix, slashes, letter case, plural or word separators; null if there
 * is none. Segments in the place of an id are kept.
 */
export function nearestPath(routes: readonly Route[], path: string): string | null {
  if (path.length > LONGEST_PATH_CHARS) return null;
  const asked = withoutPrefix(segmentsOf(path));
  for (const route of routes) {
    if (route.method === "ALL") continue;
    const segments = segmentsOf(route.path);
    const compared = withoutPrefix(segments);
    if (compared.length !== asked.length || !compared.every((part, i) => isLike(part, asked[i] ?? "")))
      continue;
    const named = compared.map((part, i) => (part.startsWith(":") ? (asked[i] ?? "") : part));
    return `/${[...segments.slice(0, segments.length - compared.length), ...named].join("/")}`;
  }
  return null;
}

/** If the method applies to a single object below `path`, the path of such an object; otherwise null. */
export function objectBelow(routes: readonly Route[], method: string, path: string): string | null {
  const collection = segmentsOf(path).join("/");
  const found = routes.find(
    (route) => route.method === method && /^\/(.*)\/:\w+$/.exec(route.path)?.[1] === collection,
  );
  return found === undefined ? null : `/${collection}/{id}`;
}

function segmentsOf(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

/** Removes leading `api` and version segments, however many there are. */
function withoutPrefix(segments: readonly string[]): string[] {
  const from = segments.findIndex((segment) => !/^(?:api|v\d+)$/i.test(segment));
  return from === -1 ? [] : segments.slice(from);
}

function isLike(part: string, asked: string): boolean {
  return part.startsWith(":") || squeezed(part) === squeezed(asked);
}

function squeezed(segment: string): string {
  return segment
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .replace(/s$/, "");
}
