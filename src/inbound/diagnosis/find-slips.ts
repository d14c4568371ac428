/**
 * Finds the usual slips that explain why a signature does not verify, by trying other keys, other prefixes and other forms of the
 * body. Pure but for WebCrypto, which compares in constant time.
 */
import { type Bytes, concat } from "../../crypto/encoding.ts";
import { DIAGNOSES, type Diagnosis } from "../../evidence/request-entry.ts";
import { importVerifyingKey } from "../signature.ts";
import { bodyGuesses, type Guess, type KnownSecrets, keyGuesses, prefixGuesses } from "./guesses.ts";
import { signatureIn } from "./header-signature.ts";
import { EXAMINED_BYTES, WorkBudget } from "./work-budget.ts";

/** A request whose signature does not verify. */
export interface RefusedRequest {
  /** `X-Webhook-Signature` as it came. */
  signature: string;
  /** The text of `X-Webhook-Timestamp`. */
  timestamp: string;
  body: Bytes;
}

/** Neither more slips at once are tried, nor combinations of unusual ones. The form of the header does not count. */
const MOST_SLIPS = 3;
const HIGHEST_RANK_TOGETHER = 6;

/**
 * The fewest slips that together explain the signature; if several sets of the same size do, the most usual one. `unknown`
 * if none does. Empty if the body is too large to be examined.
 */
export async function findSlips(request: RefusedRequest, secrets: KnownSecrets): Promise<Diagnosis[]> {
  if (request.body.byteLength > EXAMINED_BYTES) return [];
  const found = signatureIn(request.signature);
  if (found === null) return ["unknown"];
  const budget = new WorkBudget();
  const keys = new Map<Guess, CryptoKey>();
  for (const trial of trialsOf(request, secrets, budget)) {
    const slips = [...found.slips, ...trial.slips];
    const { key, prefix, body } = trial;
    // With none, the signature is right: the row was changed meanwhile.
    if (slips.length === 0) continue;
    if (!budget.takeHmac(prefix.bytes.byteLength + body.bytes.byteLength)) continue;
    const imported = keys.get(key) ?? (await importVerifyingKey(key.bytes));
    keys.set(key, imported);
    const signed = concat([prefix.bytes, body.bytes]);
    if (await crypto.subtle.verify("HMAC", imported, found.bytes, signed))
      return DIAGNOSES.filter((each) => slips.includes(each));
  }
  return ["unknown"];
}

interface Trial {
  key: Guess;
  prefix: Guess;
  body: Guess;
  slips: Diagnosis[];
  rank: number;
}

/** Those with the fewest slips first, then the most usual ones. */
function trialsOf({ timestamp, body }: RefusedRequest, secrets: KnownSecrets, budget: WorkBudget): Trial[] {
  const trials: Trial[] = [];
  const bodies = bodyGuesses(body, budget);
  const prefixes = prefixGuesses(timestamp);
  for (const key of keyGuesses(secrets)) {
    for (const prefix of prefixes) {
      for (const form of bodies) {
        const slips = [...key.slips, ...prefix.slips, ...form.slips];
        const rank = key.rank + prefix.rank + form.rank;
        if (slips.length <= 1 || (slips.length <= MOST_SLIPS && rank <= HIGHEST_RANK_TOGETHER))
          trials.push({ key, prefix, body: form, slips, rank });
      }
    }
  }
  return trials.sort((a, b) => a.slips.length - b.slips.length || a.rank - b.rank);
}
