/** Calls of the portal API by the demonstration's scripts. An answer of 400 or more is a problem. */

import type { Demo } from "./demo.ts";
import { Problem } from "./problem.ts";

const ANSWER_LIMIT_MS = 30_000;

export type Call = <Answer>(method: string, route: string, body?: unknown) => Promise<Answer>;

/** `route` is that of the API document without `/api/v1`. The answer's form is the caller's claim. */
export function portalOf(demo: Pick<Demo, "base_url" | "portal_client_id" | "portal_client_secret">): Call {
  return async <Answer>(method: string, route: string, body?: unknown) => {
    const response = await fetch(`${demo.base_url}/api/v1${route}`, {
      method,
      headers: {
        "content-type": "application/json",
        "x-client-id": demo.portal_client_id,
        "x-client-secret": demo.portal_client_secret,
      },
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Problem(`${method} ${route} was answered ${response.status}:\n${text}`);
    return JSON.parse(text) as Answer;
  };
}
