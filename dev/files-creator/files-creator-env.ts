/** The bindings and variables in the stand-in's wrangler.toml. */
import type { FileLedger, LedgerEnv } from "./ledger.ts";

export interface FilesCreatorEnv extends LedgerEnv {
  FILES: R2Bucket;
  LEDGER: DurableObjectNamespace<FileLedger>;
  FILES_CREATOR_TOKEN: string;
}
