/**
 * The secrets of a webhook through a rotation. All that have not run out sign; one leads. The old one leads until the new one
 * is activated or the old one has run out. Pure.
 */
import type { StoredWebhookSecret } from "../db/schema.ts";

/** Those that sign at `now`, the leading one first, then the others from the oldest to the newest. */
export function signingOrder<S extends StoredWebhookSecret>(secrets: readonly S[], now: number): S[] {
  const valid = secrets
    .filter(({ expires_at }) => expires_at === null || expires_at > now)
    .sort((a, b) => a.created_at - b.created_at);
  const lead = valid.findLast(({ activated }) => activated) ?? valid[0];
  return lead === undefined ? [] : [lead, ...valid.filter((secret) => secret !== lead)];
}

/** With `made` rotated in: the others end after the overlap, none later than it was told before. */
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

/** With the newest secret in the lead. The others go on signing behind it until they run out. */
export function activated(secrets: readonly StoredWebhookSecret[]): StoredWebhookSecret[] {
  const newest = secrets.reduce((a, b) => (b.created_at >= a.created_at ? b : a));
  return secrets.map((secret) => (secret.id === newest.id ? { ...secret, activated: true } : secret));
}
