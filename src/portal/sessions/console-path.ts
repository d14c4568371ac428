/** Paths of the console that a link or the sign-in leads to. They come from outside, and must lead nowhere else. Pure. */

export const CONSOLE_ROOT = "/console";
const LONGEST_CHARS = 2_000;
/** Decoding again changes nothing more in any address that somebody writes on purpose. */
const MAX_DECODINGS = 5;

/** Printable ASCII without blanks and without a backslash, which browsers read as a slash. */
const CHARACTERS = /^[\x21-\x5b\x5d-\x7e]+$/;
/** Besides the above, what may appear once a path is decoded: letters of any language, and blanks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const FORBIDDEN_DECODED = /[\x00-\x1f\x7f-\x9f\\\u2028\u2029]/;

/** What is wrong with the path, in words; null if it is `/console` or below. */
export function consolePathProblem(text: string): string | null {
  if (text.length > LONGEST_CHARS) return `Must have at most ${LONGEST_CHARS} characters`;
  if (!CHARACTERS.test(text)) return "Must be a path in printable ASCII, without blanks and backslashes";
  const [path = ""] = text.split(/[?#]/, 1);
  if (path !== CONSOLE_ROOT && !path.startsWith(`${CONSOLE_ROOT}/`))
    return "Must be /console or a path below it";
  return pathProblem(path);
}

function pathProblem(path: string): string | null {
  let decoded = path;
  for (let times = 0; times < MAX_DECODINGS; times++) {
    if (FORBIDDEN_DECODED.test(decoded)) return "Must not contain control characters or backslashes";
    if (decoded.includes("//")) return "Must not contain an empty part (//)";
    if (decoded.split("/").some((part) => part === "." || part === ".."))
      return "Must not contain . or .. as a part";
    const next = percentDecoded(decoded);
    if (next === null) return "Must be percent-encoded UTF-8";
    if (next === decoded) return null;
    decoded = next;
  }
  return "Must not be percent-encoded more than once";
}

/** Null if the text is not percent-encoded UTF-8. */
function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
