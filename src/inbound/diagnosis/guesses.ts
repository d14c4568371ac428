/** Guesses at the bytes that a sender has signed and at its key, each with its slip. The usual ones have the lowest rank. Pure. */
import { type Bytes, concat, fromBase64, fromHex, utf8 } from "../../crypto/encoding.ts";
import type { Diagnosis } from "../../evidence/request-entry.ts";
import { reprinted } from "./reprinted-json.ts";
import type { WorkBudget } from "./work-budget.ts";

export interface Guess {
  bytes: Bytes;
  slips: readonly Diagnosis[];
  /** Guesses with a lower rank are tried first. */
  rank: number;
}

/** Secrets in clear text, the newest first. */
export interface KnownSecrets {
  active: readonly string[];
  /** They no longer verify. */
  ended: readonly string[];
  /** Of other connections of the same owner. */
  others: readonly string[];
}

/** The bytes before the body. */
export function prefixGuesses(timestamp: string): Guess[] {
  const inSeconds = (seconds: number): Guess => ({
    bytes: utf8(`${seconds}.`),
    slips: ["timestamp_in_seconds"],
    rank: 2,
  });
  const seconds = Number(timestamp) / 1_000;
  const rounded = new Set([Math.floor(seconds), Math.round(seconds)]);
  return [
    { bytes: utf8(`${timestamp}.`), slips: [], rank: 0 },
    { bytes: utf8(""), slips: ["body_without_timestamp"], rank: 1 },
    ...[...rounded].map(inSeconds),
  ];
}

const LF = 0x0a;
const CR = 0x0d;

export function bodyGuesses(body: Bytes, budget: WorkBudget): Guess[] {
  const guesses = [...whiteSpaceGuesses(body), ...reprintGuesses(body, budget)];
  return distinct([{ bytes: body, slips: [], rank: 0 }, ...guesses]);
}

function whiteSpaceGuesses(body: Bytes): Guess[] {
  const guesses: Guess[] = [
    { bytes: withEnd(body, "\n"), slips: ["newline_after_body"], rank: 1 },
    { bytes: withEnd(body, "\r\n"), slips: ["newline_after_body"], rank: 3 },
  ];
  const isNewline = (byte: number | undefined) => byte === LF || byte === CR;
  const end = body.findLastIndex((byte) => !isNewline(byte)) + 1;
  if (end < body.byteLength) {
    const one = body.at(-1) === LF && body.at(-2) === CR ? 2 : 1;
    guesses.push({ bytes: body.subarray(0, -one), slips: ["newline_after_body"], rank: 1 });
    guesses.push({ bytes: body.subarray(0, end), slips: ["newline_after_body"], rank: 1 });
  }
  if (!body.includes(LF)) return guesses;
  const unix = body.filter((byte, i) => byte !== CR || body[i + 1] !== LF);
  const windows = new Uint8Array(unix.byteLength + unix.filter((byte) => byte === LF).byteLength);
  let at = 0;
  for (const byte of unix) {
    if (byte === LF) windows[at++] = CR;
    windows[at++] = byte;
  }
  for (const bytes of [unix, windows]) guesses.push({ bytes, slips: ["crlf"], rank: 2 });
  return guesses;
}

/** Tools such as `jq` end their output with a newline. */
function reprintGuesses(body: Bytes, budget: WorkBudget): Guess[] {
  const guesses: Guess[] = [];
  let rank = 1;
  for (const print of reprinted(body)) {
    const bytes = utf8(print);
    if (!budget.takeBody(2 * bytes.byteLength)) break;
    guesses.push({ bytes, slips: ["json_printed_anew"], rank });
    const withNewline = withEnd(bytes, "\n");
    guesses.push({ bytes: withNewline, slips: ["json_printed_anew", "newline_after_body"], rank: rank + 1 });
    rank++;
  }
  return guesses;
}

function withEnd(body: Bytes, end: string): Bytes {
  return concat([body, utf8(end)]);
}

/** The first of those that have the same bytes. */
function distinct(guesses: readonly Guess[]): Guess[] {
  const kept: Guess[] = [];
  for (const guess of guesses) if (!kept.some(({ bytes }) => areEqual(bytes, guess.bytes))) kept.push(guess);
  return kept;
}

function areEqual(a: Bytes, b: Bytes): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]);
}

export function keyGuesses({ active, ended, others }: KnownSecrets): Guess[] {
  const known = (slip: Diagnosis, first: number) => (secret: string, age: number) => ({
    bytes: utf8(secret),
    slips: [slip],
    rank: first + age / 10,
  });
  return [
    ...active.map((secret, age) => ({ bytes: utf8(secret), slips: [], rank: 2 * age })),
    ...active
      .slice(0, MOST_MISREAD)
      .flatMap((secret, age) => misread(secret).map((guess) => ({ ...guess, rank: guess.rank + age }))),
    ...ended.map(known("ended_secret", 1)),
    ...others.map(known("other_connection", 2)),
  ];
}

/** Of many secrets in force, the newest are the ones that somebody has just put into a program. */
const MOST_MISREAD = 3;
const SECRET_PREFIX = "whsec_";

/** The secret as somebody may have put it into a program. */
function misread(secret: string): Guess[] {
  const rest = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : null;
  const guesses: Guess[] = [
    { bytes: utf8(`${secret}\n`), slips: ["newline_after_secret"], rank: 1 },
    { bytes: utf8(`${secret}\r\n`), slips: ["newline_after_secret"], rank: 3 },
  ];
  if (rest !== null) guesses.push({ bytes: utf8(rest), slips: ["secret_without_prefix"], rank: 1 });
  // Some decoders read `_` as the last digit of base64url, others skip it.
  const encoded = [rest ?? secret, secret, secret.replaceAll("_", "")];
  const decoded = encoded.map((text) => fromLenientBase64(text));
  for (const hex of [rest ?? secret, secret]) if (/^(?:[0-9a-f]{2})+$/i.test(hex)) decoded.push(fromHex(hex));
  for (const bytes of decoded)
    if (bytes.byteLength > 0) guesses.push({ bytes, slips: ["secret_decoded"], rank: 2 });
  return distinct(guesses);
}

/** As lenient decoders do: of either alphabet, without padding, and without the digits that are too few for a byte. */
function fromLenientBase64(text: string): Bytes {
  const digits = text
    .replaceAll("-", "+")
    .replaceAll("_", "/")
    .replace(/[^A-Za-z0-9+/]/g, "");
  return fromBase64(digits.length % 4 === 1 ? digits.slice(0, -1) : digits);
}
