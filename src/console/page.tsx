/** Answers a request with a page. */
import type { Child } from "hono/jsx";
import type { ConsoleContext } from "./console-host.ts";
import { Shell, type ShellProps } from "./layout.tsx";
import { PageContext, type PageState } from "./page-state.ts";

const STATUSES = [200, 400, 401, 403, 404, 409, 412, 429, 500, 502, 503] as const;
export type PageStatus = (typeof STATUSES)[number];

interface PageOptions extends Omit<ShellProps, "children"> {
  status?: PageStatus;
}

/** The status of a page whose form the API refused with `status`. */
export function statusOfRefused({ status }: { status: number }): PageStatus {
  return STATUSES.find((each) => each === status) ?? 500;
}

export function page(c: ConsoleContext, { status = 200, ...shell }: PageOptions, content: Child): Response {
  const { requestId, startedAt } = c.env;
  const state: PageState = {
    url: new URL(c.req.url),
    scope: c.get("scope"),
    session: c.get("session"),
    now: startedAt,
    requestId,
    calls: c.get("api").calls,
  };
  const document = (
    <PageContext.Provider value={state}>
      <Shell {...shell}>{content}</Shell>
    </PageContext.Provider>
  );
  return html(c, document, status);
}

export function html(c: ConsoleContext, document: Child, status: PageOptions["status"] = 200): Response {
  return c.body(`<!doctype html>${document}`, status, { "Content-Type": "text/html; charset=utf-8" });
}
