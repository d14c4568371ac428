/** Tests of alerts: each starts with a watch that knows nothing, an operators' webhook and empty mailboxes. */
import { afterEach, beforeEach, vi } from "vitest";
import { catchWakeUps } from "./forwarding.ts";
import { bindings, type Json, portal } from "./gateway.ts";
import { type Call, catchEndpointWakeUps, catchMails, receiver, SECRET, type SentMail } from "./outbound.ts";
import { anotherDay, freshWatch, operatorsWebhook, watch, whileCronRuns } from "./watch.ts";

export const OPERATORS = "operators@audit1.test";
export const HOOK = "https://hooks.operators-audit.com/alerts";

interface Caught {
  mails: SentMail[];
  /** To the operators' webhook. */
  posts: Call[];
}

/** Restores the clock and every mock after each test. */
export function alertsOfEachTest(): Caught {
  const caught: Caught = { mails: [], posts: [] };
  beforeEach(async () => {
    anotherDay();
    catchWakeUps();
    catchEndpointWakeUps();
    caught.mails = catchMails();
    caught.posts = receiver().calls;
    await operatorsWebhook(() => ({ url: HOOK, secret: SECRET }));
    await bindings.DB.batch(
      ["attention", "deliveries", "events", "webhooks", "notices", "usage"].map((table) =>
        bindings.DB.prepare(`DELETE FROM ${table}`),
      ),
    );
    await freshWatch();
    await whileCronRuns();
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
  return caught;
}

export async function listAlerts(query = "", client = "portal"): Promise<Json[]> {
  return (await portal("GET", `/alerts${query}`, undefined, client)).json.alerts;
}

/** Kinds and states of all alerts, the oldest first. */
export async function alertStates(): Promise<[string, string][]> {
  return (await listAlerts()).map(({ kind, status }): [string, string] => [kind, status]).reverse();
}

/** The type and the alert's kind of every post. */
export function postedTo({ posts }: Caught): [string, string][] {
  return posts.map(({ body }) => [body.type, body.data.alert.kind]);
}

export const raiseRingKey = (id: string) =>
  watch().raise({ kind: "ring_key_missing", subject: id, facts: {} });
