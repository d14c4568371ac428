/** Reads the evidence of requests as gates and request logs have it. */
import { runInDurableObject } from "cloudflare:test";
import type { RequestEntry } from "../../src/evidence/request-entry.ts";
import { LOG_SHARDS, logName } from "../../src/evidence/request-log-name.ts";
import type { RequestQuery } from "../../src/evidence/request-page.ts";
import { bindings, gateOf } from "./gateway.ts";

const EVERYTHING: RequestQuery = {
  outcome: null,
  code: null,
  since: 0,
  until: 32_503_680_000_000,
  before: null,
  limit: 100,
};

export async function requestsOf(connection: { id: string }, query: Partial<RequestQuery> = {}) {
  const { requests, next, counts } = await gateOf(connection).requests({ ...EVERYTHING, ...query });
  return { entries: requests.map(({ entry }) => entry), next, counts };
}

export async function requestsOfKey({ id }: { id: string }, query: Partial<RequestQuery> = {}) {
  const gate = bindings.CONNECTION_GATE.getByName(`key:${id}`);
  const { requests, next, counts } = await gate.requests({ ...EVERYTHING, ...query });
  return { entries: requests.map(({ entry }) => entry), next, counts };
}

/** All request logs together. */
export async function unknownRequests() {
  const counts: Record<string, number> = {};
  const entries: RequestEntry[] = [];
  for (let shard = 0; shard < LOG_SHARDS; shard++) {
    const page = await bindings.REQUEST_LOG.getByName(logName(shard)).requests(EVERYTHING);
    for (const [code, n] of Object.entries(page.counts)) counts[code] = (counts[code] ?? 0) + n;
    entries.push(...page.requests.map(({ entry }) => entry));
  }
  return { entries, counts };
}

/** The sum of all counts that are kept anywhere for a connection. */
export async function countedOf(connection: { id: string }): Promise<Record<string, number>> {
  return (await requestsOf(connection)).counts;
}

/** Whether the connection's object was ever made. */
export async function hasGate(connection: { id: string }): Promise<boolean> {
  return runInDurableObject(gateOf(connection), (_gate, { storage }) => {
    const [mark] = storage.sql.exec("SELECT 1 FROM marks WHERE name IN ('address', 'snapshot')").toArray();
    return mark !== undefined;
  });
}
