/** Times in query parameters. Pure. */
import * as z from "zod";

const isoTime = z.iso.datetime({ offset: true });

/** A time with its zone. A `+` that was not encoded as %2B arrives as a space before the offset, and is read as `+`. */
export const timeParameter = z
  .string()
  .overwrite((text) => text.replace(/^(\S+) (\d{2}:?\d{2})$/, "$1+$2"))
  .refine((text) => isoTime.safeParse(text).success, {
    error: ({ input }) => timeProblem(String(input)),
  })
  .meta({ format: "date-time" });

/** The time in milliseconds. */
export function millisecondsOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

const NEEDED = "Must be a time such as 2026-03-16T10:30:00Z";

function timeProblem(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return `${NEEDED}; a day without a time was given`;
  if (/^\d{9,17}$/.test(text)) return `${NEEDED}; a number was given`;
  if (isoTime.safeParse(`${text}Z`).success) return `${NEEDED}; the zone is missing: add Z or an offset`;
  if (isoTime.safeParse(text.replace(" ", "T")).success) return `${NEEDED}; put a T in place of the blank`;
  return text.length > 40 ? NEEDED : `${NEEDED}; ${JSON.stringify(text)} was given`;
}
