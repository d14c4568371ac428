/** What the gateway gives the console for one request, and the types of the console's own context. */
import type { Context } from "hono";
import type { Bindings } from "../bindings.ts";
import type { Settings } from "../env.ts";
import type { Client } from "../http/context.ts";
import type { LogFields } from "../log.ts";
import type { Api } from "./api.ts";
import type { Scope } from "./page-scope.ts";
import type { PersonSession } from "./session.ts";

/** The console's router runs inside a route of the gateway and gets this in place of the Worker's bindings. */
export interface ConsoleHost {
  env: Bindings;
  settings: Settings;
  requestId: string;
  /** When the page was requested, ms. */
  startedAt: number;
  /** Fields of the page's log line. */
  log: LogFields;
  /** Calls the gateway's API in this process, as `client`. */
  callApi(request: Request, client: Client): Promise<Response>;
}

export type ConsoleEnv = {
  Bindings: ConsoleHost;
  Variables: {
    /** Set behind sign-in. */
    session: PersonSession;
    api: Api;
    scope: Scope;
  };
};
export type ConsoleContext = Context<ConsoleEnv>;
