/** The sending side alone, in the real runtime: a Worker around `attemptDelivery`, without a bundler. */
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from "miniflare";
import type { Attempt } from "../../src/outbound/attempt-result.ts";

const source = path.resolve(import.meta.dirname, "../../src");
/** What `attempt.ts` and `probe.ts` are made of. */
const FILES = [
  "outbound/attempt.ts",
  "outbound/probe.ts",
  "outbound/attempt-result.ts",
  "outbound/url-policy.ts",
  "result.ts",
  "http/retry-after.ts",
];

const MAIN = `
  import { attemptDelivery } from "./outbound/attempt.ts";
  import { accepts } from "./outbound/probe.ts";

  export default {
    async fetch(request, env, context) {
      // As long as a consumer's batch may take: a connection that is left open stays open.
      context.waitUntil(scheduler.wait(20_000));
      const { timeoutMs, body, ...exchange } = await request.json();
      const deps = { fetch: (url, init) => fetch(url, init), now: () => Date.now(), accepts, timeoutMs };
      return Response.json(await attemptDelivery({ ...exchange, body: new TextEncoder().encode(body) }, deps));
    },
  };
`;

export interface Sender {
  /** `timeoutMs`: for receivers that are known to keep silent. */
  attempt(url: string, more?: { timeoutMs?: number; allowInsecure?: boolean }): Promise<Attempt>;
  stop(): Promise<void>;
}

export const SENT_BODY = '{"id":"evt_1"}';

export async function startSender(): Promise<Sender> {
  const modules = FILES.map((name) => ({
    type: "ESModule",
    path: name,
    contents: stripTypeScriptTypes(readFileSync(path.join(source, name), "utf8")),
  }));
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new NoOpLog(),
      // The runtime prints every connection that fails.
      handleStructuredLogs: () => undefined,
      telemetry: { enabled: false },
      workers: [
        {
          name: "sender",
          compatibilityDate: "2026-10-23",
          compatibilityFlags: ["global_fetch_strictly_public"],
          modules: [{ type: "ESModule", path: "main.js", contents: MAIN }, ...modules],
        },
      ],
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  await miniflare.ready;
  return {
    attempt: async (url, { timeoutMs = 10_000, allowInsecure = true } = {}) => {
      const exchange = {
        url,
        headers: { "X-Custom": "kept", "webhook-id": "evt_1" },
        body: SENT_BODY,
        policy: { ownZones: [], allowedHosts: [], allowInsecure },
        timeoutMs,
      };
      const response = await miniflare.dispatchFetch("http://sender/", {
        method: "POST",
        body: JSON.stringify(exchange),
      });
      return (await response.json()) as Attempt;
    },
    stop: () => miniflare.dispose(),
  };
}
