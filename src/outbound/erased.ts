/** Reading what may rest under a data key that has been erased: a page leaves it out instead of failing as a whole. */
import { type DataKey, SealBroken, unsealText } from "../crypto/vault.ts";
import { logError } from "../log.ts";

/** Null, and logged, where the owner has no key, or has one that does not open it. */
export async function tryOpenText(
  key: DataKey | null,
  sealed: string,
  context: string,
): Promise<string | null> {
  try {
    if (key === null) throw new SealBroken(`the owner has no data key: ${context}`);
    return await unsealText(key, sealed, context);
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error;
    logError("left out a sealed value that does not open", { context }, error);
    return null;
  }
}
