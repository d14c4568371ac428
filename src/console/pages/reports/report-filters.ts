/** Which reports the address asks for. */
import type { ShownApiKey } from "../../../portal/api-keys/api-key-contract.ts";
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ApiQuery } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { sentence } from "../../parts/badge.tsx";
import { type Filter, instantOf } from "../../parts/filters.tsx";
import { STUCK_REASONS } from "../../parts/stuck-reason.tsx";
import { shortId } from "../../parts/values.tsx";

/** Senders that the filter offers. Of an owner with more, the id is typed. */
const OFFERED_SENDERS = 100;

const STATUSES = ["queued", "processing", "completed", "failed"];
/** Without a sender, only these are listed. */
const OPEN_STATUSES = ["queued", "failed"];
const REASONS = Object.entries(STUCK_REASONS).map(([value, { words }]) => ({ value, label: words }));

/** The filters that the address sets, as the API takes them. */
export interface ReportQuery {
  sender: { connection_id: string } | { api_key_id: string } | null;
  status: string | null;
  employer_id: string | null;
  reason: string | null;
  since: string | null;
  until: string | null;
  cursor: string | null;
}

export function reportQueryOf({ searchParams: query }: URL): ReportQuery {
  return {
    sender: senderOf(query.get("sender")?.trim() ?? ""),
    status: query.get("status"),
    employer_id: query.get("employer"),
    reason: query.get("reason"),
    since: instantOf(query.get("since")),
    until: instantOf(query.get("until")),
    cursor: query.get("cursor"),
  };
}

function senderOf(id: string): ReportQuery["sender"] {
  if (id === "") return null;
  return id.startsWith("ak_") ? { api_key_id: id } : { connection_id: id };
}

/** What selects reports in the list and in a bulk replay alike. */
export function selectionOf({ sender, employer_id, since, until }: ReportQuery): ApiQuery {
  return { ...sender, employer_id, since, until };
}

/** `everybody`: the list of all owners' stuck reports, which has filters of its own. */
export async function filtersOf(
  c: ConsoleContext,
  { sender }: ReportQuery,
  everybody: boolean,
): Promise<Filter[]> {
  const times: Filter[] = [
    { name: "since", label: "Since (UTC)", type: "datetime-local" },
    { name: "until", label: "Until (UTC)", type: "datetime-local" },
  ];
  const senders = everybody ? null : await sendersOf(c);
  const bySender: Filter = {
    name: "sender",
    label: "Connection or key",
    ...(senders !== null && { options: senders }),
    placeholder: "Its id",
  };
  if (everybody) return [bySender, { name: "reason", label: "Reason", options: REASONS }, ...times];
  const statuses = sender === null ? OPEN_STATUSES : STATUSES;
  return [
    bySender,
    {
      name: "status",
      label: "Status",
      options: statuses.map((value) => ({ value, label: sentence(value) })),
    },
    { name: "employer", label: "Employer", placeholder: "EMP_1" },
    ...times,
  ];
}

/** Null if they cannot all be offered. */
async function sendersOf(c: ConsoleContext): Promise<{ value: string; label: string }[] | null> {
  const { owner, environment } = c.get("scope");
  if (owner === null && c.get("session").owner === null) return null;
  const api = c.get("api");
  const [connections, keys] = await Promise.all([
    api.get<{ connections: ShownConnection[]; next_cursor: string | null }>("/connections", {
      environment,
      limit: OFFERED_SENDERS,
    }),
    api.get<{ apiKeys: ShownApiKey[]; next_cursor: string | null }>("/api-keys", {
      include_inactive: true,
      limit: OFFERED_SENDERS,
    }),
  ]);
  if (!connections.ok || connections.body.next_cursor !== null) return null;
  if (!keys.ok || keys.body.next_cursor !== null) return null;
  const options = [
    ...connections.body.connections.map((each) => ({ value: each.id, label: nameOf(each) })),
    ...keys.body.apiKeys
      .filter((each) => environment === null || each.environment === environment)
      .map(({ id, key }) => ({ value: id, label: `Key ${key}` })),
  ];
  const chosen = new URL(c.req.url).searchParams.get("sender");
  if (chosen && !options.some(({ value }) => value === chosen))
    options.push({ value: chosen, label: chosen });
  return options;
}

function nameOf({ id, description, environment }: ShownConnection): string {
  const where = environment === "sandbox" ? " (sandbox)" : "";
  return `${description || `Connection ${shortId(id)}`}${where}`;
}
