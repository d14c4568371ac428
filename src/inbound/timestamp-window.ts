/** The five-minute window: `X-Webhook-Timestamp` in Unix milliseconds, at most five minutes from the server's time. Pure. */

import type { Failure } from "../http/failure.ts";
import { type HeaderForm, matchingForm, PLACEHOLDER } from "../http/header-forms.ts";
import { onlyValue } from "../http/repeated-header.ts";
import { SIGNATURE_WINDOW_MS } from "../model.ts";
import { err, ok, type Result } from "../result.ts";

/** A list of shorter numbers is one number with separators. */
const A_TIME = /^\d{9,16}$/;
const INTEGER = /^\d{1,16}$/;
/** As milliseconds, lower values are before 1973; as seconds, they reach the year 5138. */
const SECONDS_BELOW = 100_000_000_000;

/**
 * The timestamp in milliseconds, and its text, which the signature covers; a failure when it is refused at `now`. A
 * repeated, equal header counts once.
 */
export function checkTimestamp(
  header: string,
  now: number,
): Result<{ timestampMs: number; text: string }, Failure> {
  const text = onlyValue(header);
  if (text === null || !INTEGER.test(text)) {
    const isNumbers = header.split(",").every((part) => A_TIME.test(part.trim()));
    const form =
      text === null && isNumbers
        ? "two values: the header was sent twice, with different values"
        : matchingForm(header, TIMESTAMP_FORMS);
    return err({ kind: "timestamp_expired", reason: "not_a_number", form, serverTimeMs: now });
  }
  const timestampMs = Number(text);
  const outside = outsideWindow(timestampMs, now);
  return outside === null ? ok({ timestampMs, text }) : err(outside);
}

/** The failure of a timestamp that is outside the window at `now`; null for one within it. */
export function outsideWindow(timestampMs: number, now: number): Failure | null {
  const aheadMs = timestampMs - now;
  if (Math.abs(aheadMs) <= SIGNATURE_WINDOW_MS) return null;
  const reason = timestampMs < SECONDS_BELOW ? "seconds" : aheadMs > 0 ? "clock_ahead" : "clock_behind";
  return { kind: "timestamp_expired", reason, aheadMs, serverTimeMs: now };
}

const TIMESTAMP_FORMS: HeaderForm[] = [
  [/^\d{4}-\d{2}-\d{2}|^[A-Za-z]{3},? .*\d/, "a formatted date"],
  [/^\d+[.,]\d*$/, "a number with a fraction"],
  [/^\d{17,20}$/, "a number in nanoseconds or finer"],
  [/^-\d+$/, "a negative number"],
  [/^\+\d+$/, "a number with a plus sign"],
  [/^\d+(?:\.\d+)?e[+-]?\d+$/i, "a number with an exponent"],
  [/^0x[0-9a-f]+$/i, "a hex number"],
  [/^\d+(?:N|%N|%3N)$/, "what `date` prints when it does not support `%N`, as on macOS"],
  [/^["'`].*["'`]$/, "a value in quotes"],
  [/^\d+\s*(?:ms|s)$/i, "a number with a unit"],
  [/^\d{1,3}(?:[,_ ']\d{3})+$/, "a number with separators"],
  [
    /^(?:undefined|null|none|nan|true|false|\[object .*)$/i,
    "the word that a program prints for a missing value",
  ],
  [PLACEHOLDER, "a placeholder that was never filled in"],
  [/\\n|\\r|%0a|%0d/i, "a number with an escape sequence, such as `\\n`"],
];
