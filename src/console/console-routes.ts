/**
 * `/console`: pages for people. Everything behind it is loaded with the first page, so the isolates that only receive reports
 * pay nothing for it. The pages exist at the console's own origin only.
 */
import { Hono } from "hono";
import type { AppContext, AppEnv, Client } from "../http/context.ts";
import { failureResponse } from "../http/context.ts";
import { asClient } from "../http/in-process.ts";
import { consoleOriginOf } from "../portal/sessions/console-origin.ts";
import type { ConsoleHost } from "./console-host.ts";

/** `fetchApi` answers a request like one that came from outside. */
export function consolePages(
  fetchApi: (request: Request, c: AppContext) => Response | Promise<Response>,
): Hono<AppEnv> {
  const show = async (c: AppContext): Promise<Response> => {
    if (consoleOriginOf(c) !== new URL(c.req.url).origin)
      return failureResponse(c, { kind: "endpoint_not_found" });
    const { consoleApp } = await import("./console-app.tsx");
    const host: ConsoleHost = {
      env: c.env,
      settings: c.get("settings"),
      requestId: c.get("requestId"),
      startedAt: c.get("startedAt"),
      log: c.get("log"),
      callApi: async (request: Request, client: Client) => fetchApi(asClient(request, client), c),
    };
    return consoleApp.fetch(c.req.raw, host, c.executionCtx);
  };
  return new Hono<AppEnv>().all("/console", show).all("/console/*", show);
}
