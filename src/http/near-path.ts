/** Suggests an existing path for a request whose path or method does not exist. Pure. */

/** A route of the router: a middleware's method is `ALL`. */
export interface Route {
  method: string;
  path: string;
}

/** Longer paths are not typing errors. */
const LONGEST_PATH_CHARS = 200;

/**
 * A path that exists and differs from `path` in its prefix, its slashes, letter case, plural or word separators alone; null
 * for none. What stands for an id is kept.
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

/** Where the method takes one object below `path`, the path of such an object; null for none. */
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

/** Without `api` and a version, however often they stand there. */
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
