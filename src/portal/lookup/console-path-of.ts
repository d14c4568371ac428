/** The console's page of an object. Pure. */
import { parseRequestId } from "../../http/request-id.ts";
import type { Link, LookupKind } from "./lookup-contract.ts";

/** Kinds with a page of their own. The look-up's page shows all others, and objects that are deleted. */
const PAGES: Partial<Record<LookupKind, string>> = {
  request: "/console/requests",
  file: "/console/reports",
  delivery: "/console/deliveries",
  event: "/console/events",
  connection: "/console/connections",
  webhook: "/console/webhooks",
};

/** Kinds whose page is part of Settings: its tab, and the parameter that names the object. */
const SETTINGS: Partial<Record<LookupKind, { tab: string; name: string }>> = {
  api_key: { tab: "keys", name: "key" },
  employer: { tab: "employers", name: "employer" },
};

export function consolePathOf({ kind, id, href }: Pick<Link, "kind" | "id" | "href">): string {
  const setting = SETTINGS[kind];
  if (setting !== undefined)
    return `/console/settings?${new URLSearchParams({ tab: setting.tab, [setting.name]: id })}`;
  const page = PAGES[kind];
  if (page === undefined || isDeleted(kind, href) || isPortalRequest(kind, id))
    return `/console/find?${new URLSearchParams({ q: id })}`;
  const path = `${page}/${encodeURIComponent(id)}`;
  return kind === "event" ? `${path}?${eventQuery(href)}` : path;
}

/** Only the look-up shows a deleted object, so its address leads there. */
function isDeleted(kind: LookupKind, href: string): boolean {
  return (kind === "connection" || kind === "webhook") && href.startsWith("/api/v1/lookup/");
}

function isPortalRequest(kind: LookupKind, id: string): boolean {
  return kind === "request" && parseRequestId(id)?.kind === "portal";
}

/** An event's id is unique within its owner and environment only. */
function eventQuery(href: string): URLSearchParams {
  const query = new URLSearchParams(href.split("?")[1]);
  return new URLSearchParams({
    owner: `${query.get("owner_type")}/${query.get("owner_id")}`,
    environment: query.get("environment") ?? "",
  });
}
