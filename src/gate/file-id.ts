/**
 * File ids: `FILE_` and 40 characters of Crockford's base32, which are
 * the gate (20: kind in four bits, then the row's public 12 bytes), the time (10: milliseconds), randomness (10: 50 bits).
 *
 * The id carries its gate, so a status is asked of the object that holds the file, and a file id in a support mail
 * names the connection. Its last 20 characters sort by time and are the file's key inside the gate.
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

/** The key inside its gate, for who knows the gate; null when `text` is no file id in upper case. */
export function keyOfFileId(text: string): { seq: string; mintedAt: number } | null {
  if (!UPPER_CASE_FILE_ID.test(text)) return null;
  const seq = text.slice(5 + GATE_DIGITS);
  return { seq, mintedAt: mintedAt(seq) };
}

/** The gate and the key inside it; null when `text` is no file id. Letter case does not matter. */
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

/** The part of a well-formed file id that says which gate it belongs to. */
export function gateDigitsOf(fileId: string): string {
  return fileId.slice(5, 5 + GATE_DIGITS);
}

/** The file id of a key inside a gate. */
export function fileIdOf(gate: GateAddress, seq: string): string {
  return `FILE_${gateDigits(gate)}${seq}`;
}

/** The smallest key of files minted at or after `ms`. */
export function seqAt(ms: number): string {
  return integerToBase32(Math.max(0, ms), TIME_DIGITS) + "0".repeat(RANDOM_DIGITS);
}

/** What sorts after `seq` and before every later key. */
export function seqAfter(seq: string): string {
  return `${seq}0`;
}

/** Of a key's random bits, as many as fit into an exact number beside its time until the year 2109. */
const ROW_KEY_RANDOM_BITS = 11;
const ROW_KEY_RANDOM_DIGITS = 3;

/**
 * A key as the number that rows are stored under: its milliseconds and the first of its random bits. Sorts as the key
 * does, but two keys of one millisecond may share a number.
 */
export function rowKeyOf(seq: string): number {
  const random = integerFromBase32(seq.slice(TIME_DIGITS, TIME_DIGITS + ROW_KEY_RANDOM_DIGITS));
  const number =
    mintedAt(seq) * 2 ** ROW_KEY_RANDOM_BITS + (random >> (5 * ROW_KEY_RANDOM_DIGITS - ROW_KEY_RANDOM_BITS));
  return seq.length > TIME_DIGITS + RANDOM_DIGITS ? number + 1 : number;
}

/** When the file with this key was minted, in milliseconds. */
export function mintedAt(seq: string): number {
  return integerFromBase32(seq.slice(0, TIME_DIGITS));
}

/** A caller keeps its gate's address, and mints many ids with it. */
const knownDigits = new WeakMap<GateAddress, string>();

function gateDigits(gate: GateAddress): string {
  const known = knownDigits.get(gate);
  if (known !== undefined) return known;
  const digits = encodeGate(gate);
  knownDigits.set(gate, digits);
  return digits;
}

// 100 bits: four for the kind, 96 for the id, taken as four groups of 25 bits so that each stays an exact number.
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
