/** The bindings and variables in the stand-in's wrangler.toml. */
import type { FileLedger } from "./ledger.ts";

export interface FilesCreatorEnv {
  FILES: R2Bucket;
  LEDGER: DurableObjectNamespace<FileLedger>;
  GATEWAY: Fetcher;
  FILES_CREATOR_TOKEN: string;
  REPORT_TRIES: string;
  PORTAL_CLIENT_ID: string;
  PORTAL_CLIENT_SECRET: string;
}
