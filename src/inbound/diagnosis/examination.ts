/**
 * Examines refused signatures after the response: reads the secrets that a sender may have used, and finds the slip that fits
 * one. A request is examined only if no other of its connection was within the second, and an isolate examines only a few per
 * second and at a time, so a flood of wrong signatures costs it next to nothing. Whatever fails, the request counts as not examined.
 */
import { setBounded } from "../../bounded-map.ts";
import { dataKeyContext, secretContext } from "../../crypto/contexts.ts";
import { type KeyRing, SealBroken, unsealText, unwrapDataKey } from "../../crypto/vault.ts";
import { settled } from "../../db/connection-secrets.ts";
import { findSecretsOfOwner, type SecretsRow } from "../../db/connections.ts";
import { withDeadline } from "../../deadline.ts";
import type { Diagnosis } from "../../evidence/request-entry.ts";
import { logError, logLine } from "../../log.ts";
import type { OwnerType } from "../../model.ts";
import { findSlips, type RefusedRequest } from "./find-slips.ts";
import type { KnownSecrets } from "./guesses.ts";
import { EXAMINED_BYTES } from "./work-budget.ts";

/** Each holds its body, and up to 2 MB of forms of it. */
const AT_A_TIME = 2;
const APART_MS = 1_000;
/** Of all connections. Each may hash as much as some hundred acceptances. */
const PER_SECOND = 5;
const MAX_CONNECTIONS = 1_000;
/** The evidence of the request waits for it, and has to be visible within three seconds. */
const EXAMINATION_MS = 1_500;
/** Whatever began earlier has ended, or belongs to a request that the platform has cut off. */
const ABANDONED_MS = 2 * EXAMINATION_MS;

/** The connection whose signature was refused. */
interface RefusedConnection {
  id: string;
  owner: { type: OwnerType; id: string };
}

/** Limits the examinations of an isolate. Plain data, kept between requests. */
class ExaminationTurns {
  readonly #last = new Map<string, number>();
  #running: { since: number }[] = [];
  /** When the latest turns began. */
  #begun: number[] = [];

  /** Returns the function that ends the turn; null if the request must not be examined now. */
  take(connectionId: string, bodyBytes: number, now: number): (() => void) | null {
    if (bodyBytes > EXAMINED_BYTES) return null;
    const last = this.#last.get(connectionId);
    if (last !== undefined && Math.abs(now - last) < APART_MS) return null;
    this.#running = this.#running.filter(({ since }) => Math.abs(now - since) < ABANDONED_MS);
    this.#begun = this.#begun.filter((at) => Math.abs(now - at) < APART_MS);
    if (this.#running.length >= AT_A_TIME || this.#begun.length >= PER_SECOND) return null;
    this.#begun.push(now);
    const turn = { since: now };
    this.#running.push(turn);
    setBounded(this.#last, connectionId, now, MAX_CONNECTIONS);
    return () => {
      this.#running = this.#running.filter((each) => each !== turn);
    };
  }

  /** Forgets everything. */
  clear(): void {
    this.#last.clear();
    this.#running = [];
    this.#begun = [];
  }
}

/** The turns of the isolate. */
export const examinationTurns = new ExaminationTurns();

/** The slips that explain the refused signature. Empty if the examination failed. Begins after the response; never rejects. */
export async function examine(
  connection: RefusedConnection,
  requestId: string,
  request: RefusedRequest,
  { db, keyRing }: { db: D1Database; keyRing: KeyRing },
): Promise<Diagnosis[]> {
  const ids = { request_id: requestId, connection_id: connection.id };
  try {
    // A timer fires only after the response.
    await scheduler.wait(0);
    const slips = await withDeadline("an examination", EXAMINATION_MS, async () => {
      const rows = await findSecretsOfOwner(db, connection.id, connection.owner);
      if (rows.own === null) return [];
      return findSlips(request, await unsealed(rows.own, rows.others, keyRing));
    });
    logLine("examined a refused signature", { ...ids, diagnosis: slips.join(" ") });
    return slips;
  } catch (error) {
    logError("failed to examine a refused signature", ids, error);
    return [];
  }
}

async function unsealed(
  own: SecretsRow,
  others: readonly SecretsRow[],
  keyRing: KeyRing,
): Promise<KnownSecrets> {
  const { secrets, ended_secrets } = settled(own, Date.now());
  const [active, ended, foreign] = await Promise.all([
    textsOf(own, secrets, keyRing),
    textsOf(own, ended_secrets, keyRing),
    Promise.all(others.map((row) => textsOf(row, settled(row, Date.now()).secrets.slice(0, 1), keyRing))),
  ]);
  return { active, ended, others: foreign.flat() };
}

/** Empty if they cannot be unsealed. */
async function textsOf(
  { id, data_key }: SecretsRow,
  secrets: readonly { id: string; sealed: string }[],
  keyRing: KeyRing,
): Promise<string[]> {
  if (secrets.length === 0) return [];
  try {
    const dataKey = await unwrapDataKey(keyRing, data_key, dataKeyContext({ kind: "connection", id }));
    return await Promise.all(
      secrets.map((secret) => unsealText(dataKey, secret.sealed, secretContext(id, secret.id))),
    );
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error;
    logError("failed to unseal the secrets of a connection", { connection_id: id }, error);
    return [];
  }
}
