/** The evidence for the invariants of events and deliveries, and reading the gateway's part of it at the end. */
import { ENVIRONMENTS, type Endpoint, type Environment, OWNERS, type Owner } from "./endpoints.ts";
import type { EventRecord } from "./event-record.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import type { DeliveryAtEnd, InboxReport, WebhookAtEnd } from "./orders.ts";
import type { ReportSent } from "./progress-reports.ts";
import type { Receivers } from "./receivers.ts";
import type { Connection } from "./reports.ts";
import type { RunOut } from "./retries.ts";

/** An event as the API returns it to its owner. */
export interface KeptEvent {
  owner: Owner;
  environment: Environment;
  id: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
  sequence: number;
  /** Its envelope, byte for byte as receivers must get it. */
  json: string;
}

export interface ReadAtEnd {
  kept: KeptEvent[];
  deliveries: DeliveryAtEnd[];
  webhooks: WebhookAtEnd[];
}

export interface OutboundEvidence extends ReadAtEnd {
  /** How many deliveries a run needs to be meaningful. */
  leastDelivered: number;
  connections: Connection[];
  inboxes: InboxReport[];
  /** Ids of the files that the files-creator refused. */
  refusedFiles: Pick<ReadonlyMap<string, unknown>, "has">;
  reports: ReadonlyMap<string, ReportSent>;
  events: EventRecord;
  endpoints: Endpoint[];
  receivers: Pick<Receivers, "receptions" | "astray" | "inFlight" | "goneSince">;
  runOut: RunOut;
  /** Spans of time that the gateway's clock showed twice. */
  setBack: { from: number; to: number }[];
}

export async function readAtEnd(gateway: GatewayProcess, portal: Record<string, string>): Promise<ReadAtEnd> {
  const kept: KeptEvent[] = [];
  for (const owner of OWNERS) {
    for (const environment of ENVIRONMENTS)
      kept.push(...(await keptEvents(gateway, portal, owner, environment)));
  }
  return {
    kept,
    deliveries: await gateway.control("deliveries"),
    webhooks: await gateway.control("webhooks"),
  };
}

async function keptEvents(
  gateway: GatewayProcess,
  headers: Record<string, string>,
  owner: Owner,
  environment: Environment,
): Promise<KeptEvent[]> {
  type Listed = Pick<KeptEvent, "id" | "type" | "timestamp" | "data"> & {
    metadata: Pick<KeptEvent, "sequence">;
    received_at: string;
  };
  const kept: KeptEvent[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const query = new URLSearchParams({ ...owner, environment, limit: "100", ...(cursor && { cursor }) });
    const response = await fetch(`${gateway.url}/api/v1/events?${query}`, { headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`GET /events responded ${response.status}: ${text}`);
    const page: { events: Listed[]; next_cursor: string | null } = JSON.parse(text);
    for (const { received_at: _, ...envelope } of page.events) {
      const { id, type, timestamp, data, metadata } = envelope;
      const { sequence } = metadata;
      kept.push({ owner, environment, id, type, timestamp, data, sequence, json: JSON.stringify(envelope) });
    }
    cursor = page.next_cursor;
  }
  return kept;
}
