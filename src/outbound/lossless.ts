/**
 * Reads JSON that is to be printed again, and refuses what would not come out as it went in: a name that stands twice in an
 * object, a number that a double cannot hold, nesting that printers and readers give up on. Everything else survives
 * parsing and printing in value, and from the first printing on in bytes. Pure.
 */

/** Python's reader stops at a thousand, and far deeper `JSON.stringify` runs out of stack. */
const MAX_DEPTH = 100;
/** Of a number or a name, as much as an error repeats. */
const REPEATED_CHARS = 40;

export type ReadJson =
  | { ok: true; value: unknown }
  /** `path` as error details name it: `events[0].data.amount`, empty for the whole text. */
  | { ok: false; path: string; problem: string };

/**
 * Strings whole, punctuation one by one, and numbers and literals as runs of what is left. For valid JSON only. Strings are
 * matched lazily: greedily, each escape in one would take its share of a stack that ends.
 */
const TOKEN = /"(?:[^"\\]|\\.)*?"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** One open object or array. */
interface Open {
  /** Names seen; null in an array. */
  names: Set<string> | null;
  /** The name or index of the member being read. */
  at: string | number;
}

export function readJson(text: string): ReadJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, path: "", problem: "Not valid JSON" };
  }
  return findLoss(text) ?? { ok: true, value };
}

function findLoss(text: string): Extract<ReadJson, { ok: false }> | null {
  const open: Open[] = [];
  let expectsName = false;
  for (const [token] of text.matchAll(TOKEN)) {
    const inside = open.at(-1);
    if (token === "{" || token === "[") {
      if (open.length === MAX_DEPTH) return loss(open, `Nested deeper than ${MAX_DEPTH} levels`);
      open.push(token === "{" ? { names: new Set(), at: "" } : { names: null, at: 0 });
      expectsName = token === "{";
    } else if (token === "}" || token === "]") {
      open.pop();
      expectsName = false;
    } else if (token === ",") {
      if (typeof inside?.at === "number") inside.at++;
      expectsName = inside?.names != null;
    } else if (token.startsWith('"') && expectsName && inside?.names) {
      const name = String(JSON.parse(token));
      inside.at = name;
      if (inside.names.has(name)) return loss(open, "This name stands twice in its object");
      inside.names.add(name);
      expectsName = false;
    } else if (/^[-\d]/.test(token) && !survives(token)) {
      return loss(open, `${shortened(token)} loses digits as a JSON number; send it as a string`);
    }
  }
  return null;
}

/**
 * Whether a number is the same after parsing and printing. Whole numbers have to be exact; of a fraction, the nearest double
 * is what every reader makes of it, as long as it is neither infinite nor nothing.
 */
function survives(token: string): boolean {
  const value = Number(token);
  if (!Number.isFinite(value)) return false;
  const digits = significant(token);
  if (digits === "") return true;
  if (value === 0) return false;
  return digits === significant(String(value)) || hasFraction(token);
}

/** The digits of a number without sign, point, exponent, and zeros at either end; they tell two close whole numbers apart. */
function significant(token: string): string {
  return token
    .replace(/[eE].*$/, "")
    .replace(/[-.]/g, "")
    .replace(/^0+/, "")
    .replace(/0+$/, "");
}

/** Whether a number is written with digits behind the point that its exponent does not bring before it. */
function hasFraction(token: string): boolean {
  const [mantissa = "", exponent = "0"] = token.split(/[eE]/);
  const behindThePoint = (mantissa.split(".")[1] ?? "").replace(/0+$/, "").length;
  const zerosBefore = behindThePoint === 0 ? (/0*$/.exec(mantissa.split(".")[0] ?? "")?.[0].length ?? 0) : 0;
  return behindThePoint - zerosBefore > Number(exponent);
}

function loss(open: readonly Open[], problem: string): Extract<ReadJson, { ok: false }> {
  let path = "";
  for (const { at } of open) {
    if (typeof at === "number") path += `[${at}]`;
    else if (at !== "") path += path === "" ? shortened(at) : `.${shortened(at)}`;
  }
  return { ok: false, path, problem };
}

function shortened(text: string): string {
  return text.length > REPEATED_CHARS ? `${text.slice(0, REPEATED_CHARS)}…` : text;
}
