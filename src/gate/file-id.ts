/**
 * File ids: `FILE_` and 40 characters of Crockford's base32. These encode the gate (20 characters: four bits for the kind, then the
 * 12 bytes of the row's id), the time (10 characters: milliseconds) and random bits (10 characters: 50 bits).
 *
 * The id contains its gate, so a status request goes straight to the object that holds the file, and a file id in a support mail
 * identifies the connection. The last 20 characters, `seq`, sort by time and identify the file inside its gate.
 */
import { integerFromBase32, integerToBase32 } from "../crypto/encoding.ts";
import { randomBase32 } from "../crypto/ids.ts";
import { GATE_KINDS, type GateAddress } from "../model.ts";

const GATE_DIGITS = 20;
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 10;
const FILE_ID = /^FILE_[0-9A-HJKMNP-TV-Z]{40}$/i;
const UPPER_CASE_FILE_ID = /^FILE_[0-9A-HJKMNP-TV-Z]{40}$/;

export function mintFileId(gate: GateAddress, nowMs: number): string {
  return `FILE_${gateDigits(gate)}${integerToBase32(nowMs, TIME_DIGITS)}${randomBase32(RANDOM_DIGITS)}`;
}

/** The `seq` of a file id whose gate is known. Null if `text` is not a file id in upper case. */
export function seqOfFileId(text: string): { seq: string; mintedAt: number } | null {
  if (!UPPER_CASE_FILE_ID.test(text)) return null;
  const seq = text.slice(5 + GATE_DIGITS);
  return { seq, mintedAt: mintedAt(seq) };
}

/** The gate and the `seq` inside it. Null if `text` is not a file id. Letter case does not matter. */
export function parseFileId(
  text: string,
): { fileId: string; gate: GateAddress; seq: string; mintedAt: number } | null {
  if (!FILE_ID.test(text)) return null;
  const fileId = text.toUpperCase();
  const digits = fileId.slice(5, 5 + GATE_DIGITS);
  const seq = fileId.slice(5 + GATE_DIGITS);
  const gate = parseGateDigits(digits);
  return gate && { fileId, gate, seq, mintedAt: integerFromBase32(seq.slice(0, TIME_DIGITS)) };
}

/** The characters of a well-formed file id that encode its gate. */
export function gateDigitsOf(fileId: string): string {
  return fileId.slice(5, 5 + GATE_DIGITS);
}

/** The file id of a `seq` inside a gate. */
export function fileIdOf(gate: GateAddress, seq: string): string {
  return `FILE_${gateDigits(gate)}${seq}`;
}

/** The smallest `seq` of files minted at or after `ms`. */
export function seqAt(ms: number): string {
  return integerToBase32(Math.max(0, ms), TIME_DIGITS) + "0".repeat(RANDOM_DIGITS);
}

/** A bound that sorts after `seq` and before every later one. */
export function seqAfter(seq: string): string {
  return `${seq}0`;
}

/** As many random bits of a `seq` as fit beside its time into an exact number, until the year 2109. */
const ROW_KEY_RANDOM_BITS = 11;
const ROW_KEY_RANDOM_DIGITS = 3;

/**
 * The row key of a `seq`: a number made of its milliseconds and its first random bits. Sorts as `seq` does, but two files of one
 * millisecond may have equal row keys.
 */
export function rowKeyOf(seq: string): number {
  const random = integerFromBase32(seq.slice(TIME_DIGITS, TIME_DIGITS + ROW_KEY_RANDOM_DIGITS));
  const number =
    mintedAt(seq) * 2 ** ROW_KEY_RANDOM_BITS + (random >> (5 * ROW_KEY_RANDOM_DIGITS - ROW_KEY_RANDOM_BITS));
  return seq.length > TIME_DIGITS + RANDOM_DIGITS ? number + 1 : number;
}

/** Row keys divided by this, and rounded down, are the minutes of the files. */
export const ROW_KEYS_PER_MINUTE = 60_000 * 2 ** ROW_KEY_RANDOM_BITS;

/** When the file was minted, in milliseconds. */
export function mintedAt(seq: string): number {
  return integerFromBase32(seq.slice(0, TIME_DIGITS));
}

/** Cached, because a caller mints many ids with one address. */
const knownDigits = new WeakMap<GateAddress, string>();

function gateDigits(gate: GateAddress): string {
  const known = knownDigits.get(gate);
  if (known !== undefined) return known;
  const digits = encodeGate(gate);
  knownDigits.set(gate, digits);
  return digits;
}

// 100 bits, four for the kind and 96 for the id, encoded in four groups of 25 bits so that each is an exact number.
function encodeGate(gate: GateAddress): string {
  let bits = (BigInt(GATE_KINDS.indexOf(gate.kind)) << 96n) | BigInt(`0x${gate.id}`);
  let text = "";
  for (let i = 0; i < GATE_DIGITS / 5; i++) {
    text = integerToBase32(Number(bits & 0x1ffffffn), 5) + text;
    bits >>= 25n;
  }
  return text;
}

function parseGateDigits(digits: string): GateAddress | null {
  let bits = 0n;
  for (let i = 0; i < GATE_DIGITS; i += 5)
    bits = (bits << 25n) | BigInt(integerFromBase32(digits.slice(i, i + 5)));
  const kind = GATE_KINDS[Number(bits >> 96n)];
  return kind === undefined ? null : { kind, id: (bits & ((1n << 96n) - 1n)).toString(16).padStart(24, "0") };
}
