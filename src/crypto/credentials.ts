/** Credentials that are stored as hashes and compared in constant time. */
import { fromHex, sha256Hex } from "./encoding.ts";

/** Whether `presented` hashes to `storedSha256` (hex). */
export async function matchesSha256(presented: string, storedSha256: string): Promise<boolean> {
  const given = fromHex(await sha256Hex(presented));
  const stored = fromHex(storedSha256);
  return given.byteLength === stored.byteLength && crypto.subtle.timingSafeEqual(given, stored);
}
