/**
 * The secrets of a connection during and after a rotation. Secrets in force verify; the last three that have ended are kept, sealed,
 * for 30 days, so that a diagnosis recognizes a sender that still uses one.
 */
import type { EndedSecret, StoredSecret } from "./schema.ts";

const KEPT_ENDED = 3;
const KEEP_ENDED_MS = 30 * 86_400_000;

/** The columns with secrets. */
export interface ConnectionSecrets {
  secrets: StoredSecret[];
  ended_secrets: EndedSecret[];
}

/** Moves the secrets that have ended by `now` out of those in force, and drops the ones that are kept no longer. */
export function settled({ secrets, ended_secrets }: ConnectionSecrets, now: number): ConnectionSecrets {
  const ended = [...ended_secrets];
  const inForce: StoredSecret[] = [];
  for (const secret of secrets) {
    const { expires_at, ...rest } = secret;
    if (expires_at === null || expires_at > now) inForce.push(secret);
    else ended.push({ ...rest, ended_at: expires_at });
  }
  const kept = ended
    .filter(({ ended_at }) => ended_at > now - KEEP_ENDED_MS)
    .sort((a, b) => b.ended_at - a.ended_at)
    .slice(0, KEPT_ENDED);
  return { secrets: inForce, ended_secrets: kept };
}

/** The secrets in force end after the overlap, none later than it already does. */
export function ending(read: ConnectionSecrets, overlapMs: number, now: number): ConnectionSecrets {
  const secrets = read.secrets.map((secret) => ({
    ...secret,
    expires_at: Math.min(secret.expires_at ?? Number.POSITIVE_INFINITY, now + overlapMs),
  }));
  return settled({ ...read, secrets }, now);
}
