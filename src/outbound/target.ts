/**
 * Where a webhook leads, at rest: sealed under its owner's key, because path and query of an address are often a credential.
 * In clear are the host and the masked address. Rows from before hold the whole address in `url` and no `target`, until
 * {@link file://./seal-targets.ts} reaches them: both forms are read everywhere.
 */
import * as z from "zod";
import { webhookUrlContext } from "../crypto/contexts.ts";
import { utf8 } from "../crypto/encoding.ts";
import { type DataKey, fingerprint, openText, sealText } from "../crypto/vault.ts";
import type { StoredTarget } from "../db/schema.ts";
import { maskTarget } from "./url-policy.ts";

/** The column as D1 answers it. */
export const storedTarget = z
  .string()
  .nullable()
  .transform((text): unknown => (text === null ? null : JSON.parse(text)))
  .pipe(z.object({ masked: z.string(), fingerprint: z.string(), sealed: z.string() }).nullable());

/** The columns of a webhook that say where it leads. */
export interface TargetAtRest {
  url: string;
  target: StoredTarget | null;
}

/** Nothing sends to an address of this scheme: code that does not know sealed addresses fails instead of sending elsewhere. */
const SEALED_SCHEME = "sealed:";

export async function sealTarget(key: DataKey, webhookId: string, url: string): Promise<TargetAtRest> {
  const [sealed, mac] = await Promise.all([
    sealText(key, url, webhookUrlContext(webhookId)),
    targetFingerprint(key, url),
  ]);
  return {
    url: `${SEALED_SCHEME}//${new URL(url).host}/`,
    target: { masked: maskTarget(url), fingerprint: mac, sealed },
  };
}

/** Throws `SealBroken` for an address under another key. */
export async function openTarget(key: DataKey, row: TargetAtRest & { id: string }): Promise<string> {
  const target = sealedIn(row);
  return target === null ? row.url : openText(key, target.sealed, webhookUrlContext(row.id));
}

export function maskedTarget(row: TargetAtRest): string {
  return sealedIn(row)?.masked ?? maskTarget(row.url);
}

/** Null for an address that is not sealed. */
export function storedFingerprint(row: TargetAtRest): string | null {
  return sealedIn(row)?.fingerprint ?? null;
}

export async function leadsTo(key: DataKey, row: TargetAtRest, url: string): Promise<boolean> {
  const target = sealedIn(row);
  return target === null ? row.url === url : target.fingerprint === (await targetFingerprint(key, url));
}

/**
 * Null where the row holds the whole address. Code that knows no sealed addresses may have changed it beside a sealed one that is
 * out of date, as after a rollback.
 */
function sealedIn({ url, target }: TargetAtRest): StoredTarget | null {
  return url.startsWith(SEALED_SCHEME) ? target : null;
}

/** Tells two addresses of an owner apart that look the same when they are masked. No type of event has such a name. */
export function targetFingerprint(key: DataKey, url: string): Promise<string> {
  return fingerprint(key, utf8(`webhook-url\n${url}`));
}
