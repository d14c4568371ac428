/** Whether an answer seems to come from a wall against bots in front of the receiver, not from the receiver. Pure. */

/** The statuses with which such walls answer. */
const WALL_STATUSES: ReadonlySet<number> = new Set([403, 429, 503]);
/** What they call themselves in `server`. */
const WALL_SERVERS = /cloudflare|akamai|sucuri|imperva|incapsula|datadome|awselb/i;
const HTML = /^\s*<(?:!doctype html|html)/i;

/** `answer` is the start of the body. A guess: it only decides whether people are shown our `User-Agent`. */
export function looksLikeBotWall(status: number, headers: Headers, answer: string): boolean {
  if (headers.has("cf-mitigated")) return true;
  if (!WALL_STATUSES.has(status)) return false;
  const isHtml = (headers.get("content-type") ?? "").includes("text/html") || HTML.test(answer);
  return isHtml || WALL_SERVERS.test(headers.get("server") ?? "");
}
