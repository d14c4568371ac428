/** What the tabs of sessions and of portal links share. */
import type { ShownSession } from "../../../../portal/sessions/session-contract.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { sentence } from "../../../parts/badge.tsx";
import type { Filter } from "../../../parts/filters.tsx";
import { Maybe } from "../../../parts/values.tsx";

/** The dialog's name in the address, and the act of its form. */
export const REVOKE = "revoke";
export const LIMIT = 50;

/** `words`: of those in force, and of all. */
export function endedFilter(words: { any: string; all: string }): readonly Filter[] {
  return [{ name: "ended", label: "State", any: words.any, options: [{ value: "true", label: words.all }] }];
}

/** What both lists are asked for. */
export function listQueryOf(c: ConsoleContext) {
  const query = new URL(c.req.url).searchParams;
  return {
    include_ended: query.get("ended") === "true" ? "true" : null,
    cursor: query.get("cursor"),
    limit: LIMIT,
  };
}

/** The object that the address's dialog is about. */
export function namedIn(c: ConsoleContext, name: string): string | null {
  const query = new URL(c.req.url).searchParams;
  return query.get("do") === REVOKE ? query.get(name) || null : null;
}

export function mayWords(capabilities: ShownSession["capabilities"]): string {
  return capabilities === "manage" ? "Manage" : "View";
}

/** Null owners are staff. */
export function OwnerOf({ row }: { row: Pick<ShownSession, "owner_type" | "owner_id"> }) {
  const { owner_type: type, owner_id: id } = row;
  if (type === null || id === null) return <span class="quiet">Audit1</span>;
  return <span title={sentence(type)}>{id}</span>;
}

export function PersonOf({ person }: { person: string | null }) {
  return person === null ? <Maybe value={null} /> : <span>{person}</span>;
}
