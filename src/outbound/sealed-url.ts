/**
 * A webhook's target URL as it is stored: sealed under its owner's key, because the path and query often hold a credential. Only
 * the host and the masked URL are stored in clear. Older rows hold the whole URL in `url` and no `target` until
 * {@link file://./seal-clear-urls.ts} seals them: both forms are read everywhere.
 */
import * as z from "zod";
import { webhookUrlContext } from "../crypto/contexts.ts";
import { utf8 } from "../crypto/encoding.ts";
import { type DataKey, fingerprint, sealText, unsealText } from "../crypto/vault.ts";
import { nullableJsonColumn } from "../db/json-column.ts";
import type { StoredTarget } from "../db/schema.ts";
import { MASK, maskUrl } from "./url-policy.ts";

/** Parses the column as D1 returns it. */
export const storedTarget = nullableJsonColumn(
  z.object({ masked: z.string(), fingerprint: z.string(), sealed: z.string() }),
);

/** The columns of a webhook that hold its URL. */
export interface UrlAtRest {
  url: string;
  target: StoredTarget | null;
}

/** No URL of this scheme is ever called: code that does not know sealed URLs fails instead of sending to the wrong place. */
const SEALED_SCHEME = "sealed:";

/** What the column `url` holds in place of a sealed URL: only the host. */
function sealedMarker(url: string): string {
  return `${SEALED_SCHEME}//${new URL(url).host}/`;
}

/** Keeps only the host of a deleted webhook whose owner has been erased. */
export function erasedUrl(url: string): UrlAtRest {
  const masked = `${new URL(url).host}/${MASK}`;
  return { url: sealedMarker(url), target: { masked, fingerprint: "", sealed: "" } };
}

export async function sealUrl(key: DataKey, webhookId: string, url: string): Promise<UrlAtRest> {
  const [sealed, mac] = await Promise.all([
    sealText(key, url, webhookUrlContext(webhookId)),
    urlFingerprint(key, url),
  ]);
  return {
    url: sealedMarker(url),
    target: { masked: maskUrl(url), fingerprint: mac, sealed },
  };
}

/** Throws `SealBroken` where the URL was sealed under another key. */
export async function unsealUrl(key: DataKey, row: UrlAtRest & { id: string }): Promise<string> {
  const target = sealedIn(row);
  return target === null ? row.url : unsealText(key, target.sealed, webhookUrlContext(row.id));
}

export function maskedUrl(row: UrlAtRest): string {
  return sealedIn(row)?.masked ?? maskUrl(row.url);
}

/** Null if the URL is not sealed. */
export function storedFingerprint(row: UrlAtRest): string | null {
  return sealedIn(row)?.fingerprint ?? null;
}

export async function hasUrl(key: DataKey, row: UrlAtRest, url: string): Promise<boolean> {
  const target = sealedIn(row);
  return target === null ? row.url === url : target.fingerprint === (await urlFingerprint(key, url));
}

/**
 * Null if the row holds the whole URL. After a rollback, older code may have written one beside a `target` that is out of
 * date.
 */
function sealedIn({ url, target }: UrlAtRest): StoredTarget | null {
  return url.startsWith(SEALED_SCHEME) ? target : null;
}

/** Distinguishes an owner's URLs that look the same when masked. No event type begins with this prefix. */
export function urlFingerprint(key: DataKey, url: string): Promise<string> {
  return fingerprint(key, utf8(`webhook-url\n${url}`));
}
