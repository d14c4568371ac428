/**
 * The part of every address that says whose objects and which environment the reader looks at. Staff choose an owner, or
 * none for all; an owner's session has its own and never names it. The colour of a portal that embeds the page travels along.
 */
import * as z from "zod";
import { ENVIRONMENTS, type Environment, OWNER_TYPES, type OwnerType } from "../model.ts";
import { accentOf } from "./theme.ts";

export interface Scope {
  owner: { type: OwnerType; id: string } | null;
  environment: Environment | null;
  /** Six hex digits; null for the console's own colour. */
  accent: string | null;
}

/** A regular expression without its ends, which browsers understand too. */
export const OWNER_FORM = `(${OWNER_TYPES.join("|")})/([A-Za-z0-9_.:\\-]{1,64})`;
const OWNER = new RegExp(`^${OWNER_FORM}$`);
const environmentOf = z.enum(ENVIRONMENTS);

/** Reads `owner` (`payroll_company/acme`), `environment` and `accent` of an address. Values of other forms count as missing. */
export function scopeOf(query: URLSearchParams): Scope {
  const [, type, id] = OWNER.exec(query.get("owner") ?? "") ?? [];
  const environment = environmentOf.safeParse(query.get("environment"));
  return {
    owner: id === undefined ? null : { type: type as OwnerType, id },
    environment: environment.success ? environment.data : null,
    accent: accentOf(query.get("accent")),
  };
}

export function ownerText({ owner }: Pick<Scope, "owner">): string {
  return owner === null ? "" : `${owner.type}/${owner.id}`;
}

/** The parameters of {@link scopeOf}. */
export function scopeQuery({ owner, environment, accent }: Scope): Record<string, string> {
  return {
    ...(owner !== null && { owner: ownerText({ owner }) }),
    ...(environment !== null && { environment }),
    ...(accent !== null && { accent }),
  };
}

/** `path` with the scope's parameters, unless it names them itself. Only the scope of staff travels in addresses. */
export function withScope(path: string, scope: Scope): string {
  const [before = "", query = ""] = path.split("?");
  const params = new URLSearchParams(query);
  for (const [name, value] of Object.entries(scopeQuery(scope)))
    if (!params.has(name)) params.set(name, value);
  return params.size === 0 ? before : `${before}?${params}`;
}
