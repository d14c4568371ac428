/**
 * Pages of the list endpoints: `limit`, and an opaque `cursor` that marks where the previous page ended. A list is read
 * through its index from that position on, so the thousandth page costs as much as the first.
 */
import * as z from "zod";
import { fromBase64, toBase64, utf8 } from "../crypto/encoding.ts";

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;
const LONGEST_CURSOR_CHARS = 512;

const LIMIT = { error: `Must be a whole number from 1 to ${MAX_LIMIT}` };

/** The most entries of a page. */
export const pageLimit = z.coerce
  .number(LIMIT)
  .int(LIMIT)
  .min(1, LIMIT)
  .max(MAX_LIMIT, LIMIT)
  .default(DEFAULT_LIMIT);

/**
 * The query fields of a list. `list` is its name, so that another list's cursor is rejected; `position` is the sort key of
 * an entry. After parsing, `cursor` is the position itself.
 */
export function pageFields<Position>(list: string, position: z.ZodType<Position>) {
  const named = z.tuple([z.literal(list), position]);
  return {
    limit: pageLimit,
    cursor: z
      .string()
      .max(LONGEST_CURSOR_CHARS, "Not a cursor of this list")
      .transform((text, context): Position => {
        const parsed = named.safeParse(decode(text));
        if (parsed.success) return parsed.data[1] as Position;
        context.addIssue({ code: "custom", message: "Not a cursor of this list" });
        return z.NEVER;
      })
      .optional(),
  };
}

export interface Page<Row> {
  rows: Row[];
  /** Null at the end of the list. */
  next_cursor: string | null;
}

/** The caller reads up to `limit + 1` rows: the extra row shows that the list continues. */
export function pageOf<Row>(
  list: string,
  rows: readonly Row[],
  limit: number,
  positionOf: (row: Row) => unknown,
): Page<Row> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const goesOn = rows.length > limit && last !== undefined;
  return { rows: shown, next_cursor: goesOn ? encodeCursor(list, positionOf(last)) : null };
}

/** For a list whose page may end before it is full. */
export function encodeCursor(list: string, position: unknown): string {
  const text = toBase64(utf8(JSON.stringify([list, position])));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Undefined, which is never a position, if the text is not a cursor. */
function decode(text: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"))));
  } catch {
    return undefined;
  }
}
