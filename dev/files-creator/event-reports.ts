/** Reports the outcome of a file to the gateway: POST /api/v1/events with portal credentials. */

import type { FileEvent } from "./file-events.ts";

/** The gateway, and the portal credentials that reports to it carry. */
export interface ReportEnv {
  GATEWAY: Fetcher;
  PORTAL_CLIENT_ID: string;
  PORTAL_CLIENT_SECRET: string;
}

export interface ReportResult {
  eventId: string;
  /** Null if the gateway accepted the event. */
  error: string | null;
}

const REPORT_TIMEOUT_MS = 10_000;
const EXCERPT_LENGTH = 200;

/** Sends the events in order, up to the first that is not accepted: a later event must not overtake it. */
export async function sendReports(env: ReportEnv, events: FileEvent[]): Promise<ReportResult[]> {
  const results: ReportResult[] = [];
  let stopped: string | null = null;
  for (const event of events) {
    const error: string | null = stopped ?? (await sendReport(env, event));
    if (error !== null) stopped = `${event.type}: ${error}`;
    results.push({ eventId: event.id, error });
  }
  return results;
}

async function sendReport(env: ReportEnv, event: FileEvent): Promise<string | null> {
  try {
    const response = await env.GATEWAY.fetch("https://gateway.internal/api/v1/events", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-client-id": env.PORTAL_CLIENT_ID,
        "x-client-secret": env.PORTAL_CLIENT_SECRET,
      },
      body: JSON.stringify(event),
      signal: AbortSignal.timeout(REPORT_TIMEOUT_MS),
    });
    const answer = await response.text();
    return response.ok ? null : `${response.status} ${answer.slice(0, EXCERPT_LENGTH)}`;
  } catch (error) {
    return String(error);
  }
}
