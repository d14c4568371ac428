/** The Worker's bindings: the types that wrangler generates, with the messages of the queues and with optional variables. */
import type { EndpointWakeUp, FileWakeUp } from "./messages.ts";

/** Variables that no environment has to set; empty means unset. */
type OptionalVariable =
  | "FILES_CREATOR_URL"
  | "OWN_ZONE_TARGETS"
  | "INBOUND_ORIGIN"
  | "CONSOLE_ORIGIN"
  | "CONSOLE_FRAME_ANCESTORS"
  | "ACCESS_TEAM"
  | "ACCESS_AUD"
  | "OPERATORS_WEBHOOK_URL";

/** Either the service `FILES_CREATOR` is bound, or `FILES_CREATOR_URL` is set. */
export type Bindings = Omit<
  Cloudflare.Env,
  "FILES" | "DELIVERIES" | "DELIVERIES_SLOW" | "DELIVERIES_NEW" | "FILES_CREATOR" | OptionalVariable
> & {
  [Name in OptionalVariable]?: string;
} & {
  FILES: Queue<FileWakeUp>;
  DELIVERIES: Queue<EndpointWakeUp>;
  DELIVERIES_SLOW: Queue<EndpointWakeUp>;
  DELIVERIES_NEW: Queue<EndpointWakeUp>;
  FILES_CREATOR?: Fetcher;
  FILES_CREATOR_TOKEN?: string;
  OPERATORS_WEBHOOK_SECRET?: string;
};
