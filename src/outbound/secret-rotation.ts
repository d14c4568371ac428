/**
 * The secrets of a webhook during a rotation. Every secret that has not expired signs; one of them leads. The old one leads until
 * the new one is activated or the old one expires. Pure.
 */
import type { StoredWebhookSecret } from "../db/schema.ts";

/** The secrets that sign at `now`: the leading one first, then the others from oldest to newest. */
export function signingOrder<S extends StoredWebhookSecret>(secrets: readonly S[], now: number): S[] {
  const valid = secrets
    .filter(({ expires_at }) => expires_at === null || expires_at > now)
    .sort((a, b) => a.created_at - b.created_at);
  const lead = valid.findLast(({ activated }) => activated) ?? valid[0];
  return lead === undefined ? [] : [lead, ...valid.filter((secret) => secret !== lead)];
}

/** Adds `made`: the others expire after the overlap, none later than it already does. */
export function rotated(
  secrets: readonly StoredWebhookSecret[],
  made: StoredWebhookSecret,
  overlapMs: number,
  now: number,
): StoredWebhookSecret[] {
  const kept = secrets
    .map((secret) => ({
      ...secret,
      expires_at: Math.min(secret.expires_at ?? Number.POSITIVE_INFINITY, now + overlapMs),
    }))
    .filter(({ expires_at }) => expires_at > now);
  return [...kept, { ...made, activated: kept.length === 0 }];
}

/** Makes the newest secret lead. The others go on signing until they expire. */
export function activated(secrets: readonly StoredWebhookSecret[]): StoredWebhookSecret[] {
  const newest = secrets.reduce((a, b) => (b.created_at >= a.created_at ? b : a));
  return secrets.map((secret) => (secret.id === newest.id ? { ...secret, activated: true } : secret));
}
