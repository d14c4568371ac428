import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EXAMPLE } from "../../../src/contract/examples.ts";
import type { Counts } from "../../../src/usage/counts.ts";
import { countLatency } from "../../../src/usage/histogram.ts";
import { hourOf } from "../../../src/usage/periods.ts";
import {
  ask,
  bodyExamples,
  departures,
  filled,
  type Operation,
  operations,
  parametersOf,
} from "../../support/contract.ts";
import {
  accepted,
  answering,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  resetCircuitBreaker,
} from "../../support/forwarding.ts";
import { createApiKey, createConnection, type Json, portal, sign } from "../../support/gateway.ts";
import { storeWebhook } from "../../support/outbound.ts";
import { createLink, signIn } from "../../support/sessions.ts";
import { computeUsage, countGate } from "../../support/usage.ts";
import { openAlert } from "../../support/watch.ts";

/** What an example cannot know: ids of what is there, and who asks. */
interface Given {
  params?: Record<string, string>;
  query?: Record<string, string>;
  /** What is sent in place of the example's body. */
  body?: (example: Json) => unknown;
  /** The body of an operation that takes no JSON. */
  text?: string;
  type?: string;
  headers?: (body: string) => Record<string, string> | Promise<Record<string, string>>;
}

const { owner } = EXAMPLE;

beforeEach(async () => {
  catchWakeUps();
  await resetCircuitBreaker();
  const employer = { fein: EXAMPLE.fein, name: "Acme Manufacturing", owners: [owner] };
  await portal("PUT", `/employers/${EXAMPLE.employerId}`, employer);
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function aFile(): Promise<{ fileId: string; connectionId: string }> {
  const connection = await createConnection({ ...owner, employer_id: EXAMPLE.employerId });
  const fileId = await accepted(connection);
  await deliverFiles([fileId]);
  return { fileId, connectionId: connection.id };
}

const connectionOf = async (): Promise<Given> => ({
  params: { connection_id: (await createConnection(owner)).id },
});
const bearer = async (): Promise<Pick<Given, "headers">> => {
  const { token } = await createApiKey(owner);
  return { headers: () => ({ Authorization: `Bearer ${token}` }) };
};

const keyOf = async (): Promise<Given> => ({ params: { api_key_id: (await createApiKey(owner)).id } });
const webhookOf = async () => {
  const asked = {
    ...owner,
    environment: "production",
    url: "https://hooks.acme-payroll.com/x",
    events: ["*"],
  };
  const { json } = await portal("POST", "/webhooks", asked);
  return { params: { webhook_id: json.webhook.id as string } };
};
const deliveryOf = async () => {
  const { params } = await webhookOf();
  const { json } = await portal("POST", `/webhooks/${params.webhook_id}/test`);
  return { params: { ...params, delivery_id: json.delivery_id as string } };
};
const replayOf = async () => {
  const { params } = await webhookOf();
  const range = { since: "2026-03-15T00:00:00Z" };
  const { json } = await portal("POST", `/webhooks/${params.webhook_id}/replay`, range);
  return { params: { ...params, replay_id: json.replay.id } };
};

const jobOf = async () => {
  const { json } = await portal("POST", "/deliveries/retry", owner);
  return { params: { job_id: json.job.id as string } };
};

const linkOf = async () => ({ params: { portal_link_id: (await createLink(owner)).id } });
const sessionOf = async () => ({ params: { session_id: (await signIn(owner)).session.id } });

const GIVEN: Record<string, () => Promise<Given>> = {
  receiveReport: async () => {
    const { id, secret } = await createConnection(owner);
    const headers = async (body: string) => {
      const timestamp = String(Date.now());
      return { "X-Webhook-Timestamp": timestamp, "X-Webhook-Signature": await sign(secret, timestamp, body) };
    };
    return { params: { connection_id: id }, headers };
  },
  getFileStatus: async () => ({ ...(await bearer()), params: { file_id: (await aFile()).fileId } }),
  listFiles: async () => ({ ...(await bearer()), query: { connection_id: (await aFile()).connectionId } }),
  listStuckFiles: async () => {
    const fileId = await accepted(await createConnection({ ...owner, employer_id: EXAMPLE.employerId }));
    await deliverFiles([fileId], creatorThat(answering(503)).using);
    return {};
  },
  listConnections: async () => {
    await createConnection(owner);
    return { query: owner };
  },
  getConnection: connectionOf,
  changeConnection: connectionOf,
  deleteConnection: connectionOf,
  rotateConnectionSecret: connectionOf,
  submitPayrollReport: bearer,
  syncEmployees: bearer,
  getApiKey: keyOf,
  changeApiKey: keyOf,
  deactivateApiKey: keyOf,
  listApiKeys: async () => ({ query: owner }),
  getEmployer: async () => ({ params: { employer_id: EXAMPLE.employerId } }),
  importEmployers: async () => ({
    text: '{"id":"EMP_1","name":"One"}\n{"id":"a b","name":"Two"}\n',
    type: "application/x-ndjson",
  }),
  listWebhooks: async () => {
    await webhookOf();
    return { query: owner };
  },
  listFailingWebhooks: async () => {
    await storeWebhook({ ...owner, failing_since: Date.now() });
    return { query: owner };
  },
  getWebhook: webhookOf,
  changeWebhook: webhookOf,
  putWebhook: webhookOf,
  deleteWebhook: webhookOf,
  testWebhook: webhookOf,
  rotateWebhookSecret: webhookOf,
  activateWebhookSecret: webhookOf,
  listDeliveries: deliveryOf,
  listDeliveriesOfOwner: async () => {
    await deliveryOf();
    return { query: owner };
  },
  getDelivery: deliveryOf,
  retryDelivery: deliveryOf,
  replayWebhook: webhookOf,
  getReplay: replayOf,
  listReplays: async () => {
    await replayOf();
    return { query: owner };
  },
  getEvent: async () => {
    const example = { id: "evt_policy_1", type: "policy.renewed", ...owner, data: {} };
    await portal("POST", "/events", example);
    return { params: { event_id: example.id }, query: owner };
  },
  endReplay: replayOf,
  listConnectionRequests: connectionOf,
  listApiKeyRequests: keyOf,
  listUnknownRequests: async () => ({ query: { unknown: "true" } }),
  listJobs: async () => {
    await jobOf();
    return { query: owner };
  },
  listPortalLinks: async () => {
    await createLink(owner);
    return { query: owner };
  },
  getPortalLink: linkOf,
  revokePortalLink: linkOf,
  listSessions: async () => {
    await signIn(owner);
    return { query: owner };
  },
  getSession: sessionOf,
  revokeSession: sessionOf,
  getJob: jobOf,
  cancelJob: jobOf,
  getDocsPage: async () => ({ params: { page: "webhooks" } }),
  eraseOwnerData: async () => {
    await webhookOf();
    return { params: owner };
  },
  getMetrics: async () => {
    const gate = { kind: "connection", id: (await createConnection(owner)).id } as const;
    await countGate(gate, hourOf(Date.now()), latencies());
    await computeUsage(Date.now());
    return { query: { ...owner, measure: "latency_completed", by: "connection" } };
  },
  listEvents: async () => ({ query: { ...owner, environment: "production" } }),
  lookUp: async () => ({ params: { any_id: (await aFile()).fileId } }),
  putEmployer: async () => ({ params: { employer_id: EXAMPLE.employerId } }),
  acknowledgeAlert: async () => ({ params: { alert_id: await openAlert(await createConnection(owner)) } }),
  listAlerts: async () => {
    await openAlert(await createConnection(owner));
    return { query: owner };
  },
  replayFile: async () => {
    const { fileId } = await aFile();
    await portal("POST", "/events", { id: "evt_1", type: "file.processed", data: { fileId } });
    return { params: { file_id: fileId } };
  },
  reportEvent: async () => {
    const { fileId } = await aFile();
    const about = (example: Json) => ({ ...example, data: { ...example.data, fileId } });
    return { body: (example) => (example.type === "file.processed" ? about(example) : example) };
  },
};

function latencies(): Counts {
  const counts: Counts = {};
  countLatency(counts, "latency_completed", 4_000);
  return counts;
}

const PORTAL = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };

async function send(operation: Operation, example: unknown) {
  const given = (await GIVEN[operation.id]?.()) ?? {};
  const { params = {}, query, body, headers, type = "application/json" } = given;
  const text = example === undefined ? given.text : JSON.stringify(body?.(example as Json) ?? example);
  return ask(filled(operation.path, params) + (query === undefined ? "" : `?${new URLSearchParams(query)}`), {
    method: operation.method,
    headers: {
      ...(text !== undefined && { "Content-Type": type }),
      ...((await headers?.(text ?? "")) ?? PORTAL),
    },
    ...(text !== undefined && { body: text }),
  });
}

const examples = operations.flatMap((operation): [string, Operation, unknown][] => {
  const bodies = bodyExamples(operation);
  return bodies.length === 0
    ? [[operation.id, operation, undefined]]
    : bodies.map(([name, value]) => [`${operation.id}, ${name}`, operation, value]);
});

describe("the example of", () => {
  it.each(examples)("%s is answered as the document says", async (_name, operation, example) => {
    const answer = await send(operation, example);
    expect(departures(operation, answer)).toEqual([]);
    const successes = Object.keys(operation.described.responses).filter((status) => status.startsWith("2"));
    if (successes.length > 0) expect(successes, answer.text.slice(0, 500)).toContain(String(answer.status));
  });
});

describe("every operation", () => {
  it.each(
    operations
      .filter(({ path }) => path.startsWith("/api/"))
      .map((operation) => [operation.id, operation] as const),
  )("%s answers a failure as the document says", async (_id, operation) => {
    const params = Object.fromEntries(parametersOf(operation, "path").map(({ name }) => [name, "unknown"]));
    const path = filled(operation.path, params);
    const headers = { "Content-Type": "application/json" };
    const body = operation.method === "GET" ? {} : { body: "{" };
    const bad = operation.method === "GET" ? `${path}?limit=x` : path;
    for (const [where, who] of [
      [path, {}],
      [bad, PORTAL],
      [bad, { Authorization: `Bearer ${(await createApiKey()).token}` }],
    ] as const) {
      const answer = await ask(where, { method: operation.method, headers: { ...headers, ...who }, ...body });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(departures(operation, answer)).toEqual([]);
    }
  });
});
