/** How each setting is parsed from its variable. A value that cannot be used throws an error whose message never contains a secret. */
import * as z from "zod";
import type { Bindings } from "./bindings.ts";
import { OWNER_TYPES, type UrlPolicy } from "./model.ts";

const trimmed = z.string().trim();

const portalClient = z
  .strictObject({
    id: trimmed.min(1).max(64),
    secret_sha256: trimmed.toLowerCase().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"),
    /** Binds the pair to one owner. */
    owner: z.strictObject({ type: z.enum(OWNER_TYPES), id: trimmed.min(1).max(64) }).optional(),
    /** The pair that reports on files. Its posts to `/events` are never rate limited. */
    role: z.literal("files_creator").optional(),
  })
  .refine(({ owner, role }) => owner === undefined || role === undefined, "a pair with a role has no owner");
export type PortalClient = z.infer<typeof portalClient>;

export interface Console {
  /** Null for none; on a gateway for local development, for the origin of the current request. */
  origin: string | null;
  /** The origins whose pages may embed the console. */
  frameAncestors: readonly string[];
}

/** The Cloudflare Access application in front of the portal's paths. */
export interface AccessTeam {
  issuer: string;
  /** The application's audience tag. */
  audience: string;
}

export interface OperatorsWebhook {
  url: string;
  /** `whsec_` and base64, like the secret of any webhook. */
  secret: string;
}

/** The text of a setting. Deployment tools may add blanks around it, or set a number, boolean or list instead of a string. */
export function text(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value.trim() : JSON.stringify(value);
}

/** An invalid limit must not stop intake, so the default is used. */
export function integer(
  name: string,
  value: unknown,
  { lowest, highest, otherwise }: { lowest: number; highest: number; otherwise: number },
  problems: string[],
): number {
  const digits = text(value);
  const number = Number(digits);
  if (digits !== "" && Number.isInteger(number) && number >= lowest && number <= highest) return number;
  problems.push(`${name} must be an integer from ${lowest} to ${highest}; ${otherwise} is used`);
  return otherwise;
}

interface PortalClients {
  usable: PortalClient[];
  unusable: Set<string>;
}

/** An unusable entry locks out its own client only. */
export function parsePortalClients(value: string, problems: string[]): PortalClients {
  if (value === "")
    throw new Error("is not set: it lists the portal's client ids and the hashes of their secrets");
  const clients: PortalClients = { usable: [], unusable: new Set() };
  for (const [index, entry] of listOf(value).entries()) {
    const result = portalClient.safeParse(entry);
    if (result.success) {
      clients.usable.push(result.data);
      continue;
    }
    const [issue] = result.error.issues;
    problems.push(`PORTAL_CLIENTS: ${[index, ...(issue?.path ?? [])].join(".")}: ${issue?.message}`);
    const named = z.object({ id: trimmed }).safeParse(entry);
    if (named.success) clients.unusable.add(named.data.id);
  }
  return clients;
}

function listOf(value: string): unknown[] {
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    throw new Error("is not JSON");
  }
  if (!Array.isArray(json)) throw new Error("must be a list of clients");
  return json;
}

/** `name@host` or `Name <name@host>`. */
export function emailAddress(value: string): EmailAddress {
  const [, name = "", inBrackets] = /^(.*?)\s*<([^<>]*)>$/.exec(value) ?? [];
  const result = z.email().safeParse((inBrackets ?? value).trim());
  if (!result.success) throw new Error("must be an e-mail address");
  return { name: name.replace(/^"(.*)"$/, "$1").trim(), email: result.data };
}

export function sender(address: EmailAddress): string | EmailAddress {
  return address.name === "" ? address.email : address;
}

export function accessTeam(team: string, audience: string): AccessTeam | null {
  if (team === "" && audience === "") return null;
  if (team === "" || audience === "") throw new Error("must be set together with ACCESS_AUD, or neither");
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(team)) {
    throw new Error("must be the team's name alone: acme, for acme.cloudflareaccess.com");
  }
  return { issuer: `https://${team}.cloudflareaccess.com`, audience };
}

const WEBHOOK_SECRET = /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/;

/** The other rules for addresses (outbound/url-policy.ts) are checked before each post, as they are for every webhook. */
export function operatorsWebhook(env: Bindings): OperatorsWebhook | null {
  const [url, secret] = [text(env.OPERATORS_WEBHOOK_URL), text(env.OPERATORS_WEBHOOK_SECRET)];
  if (url === "" && secret === "") return null;
  if (url === "" || secret === "")
    throw new Error("must be set together with OPERATORS_WEBHOOK_SECRET, or neither");
  const protocol = URL.parse(url)?.protocol;
  if (protocol !== "https:" && !(allowsInsecure(env) && protocol === "http:"))
    throw new Error("must be an https address");
  if (!WEBHOOK_SECRET.test(secret))
    throw new Error("OPERATORS_WEBHOOK_SECRET must be whsec_ and base64 of 24 to 64 bytes");
  return { url, secret };
}

/** A service binding ignores the host of the address. */
export function filesCreatorUrl(env: Bindings): string {
  if (env.FILES_CREATOR !== undefined) return "https://files-creator/files";
  const value = text(env.FILES_CREATOR_URL);
  if (value === "") throw new Error("must be set where no FILES_CREATOR service is bound");
  const url = URL.parse(value);
  if (url?.protocol !== "https:") throw new Error("must be an https address");
  return `${url.href.replace(/\/$/, "")}/files`;
}

/** Other characters are not allowed in a header. */
export function filesCreatorToken(env: Bindings): string | null {
  const token = text(env.FILES_CREATOR_TOKEN);
  if (!/^[\x21-\x7e]*$/.test(token)) throw new Error("must be printable ASCII without blanks");
  return token === "" ? null : token;
}

/** The host of `INBOUND_ORIGIN` is one of our own, even if no zone contains it. */
export function urlPolicy(env: Bindings, inbound: string | null): UrlPolicy {
  const zones = hostNames(env.OWN_ZONES);
  return {
    ownZones: inbound === null ? zones : [...zones, new URL(inbound).hostname],
    allowedHosts: hostNames(env.OWN_ZONE_TARGETS),
    allowInsecure: allowsInsecure(env),
  };
}

/** Whether this gateway runs on one machine for development, with senders and receivers on plain http. */
export function allowsInsecure(env: Pick<Bindings, "ALLOW_INSECURE_ENDPOINTS">): boolean {
  return text(env.ALLOW_INSECURE_ENDPOINTS) === "true";
}

/** Host names separated by commas or blanks, normalized by `URL` so that they can be compared. */
function hostNames(value: unknown): string[] {
  const names = text(value)
    .split(/[\s,]+/)
    .filter((name) => name !== "");
  return names.map((name) => {
    const host = URL.canParse(`https://${name}`) ? new URL(`https://${name}`) : null;
    if (host === null || host.href !== `https://${host.hostname}/`)
      throw new Error("must be host names, separated by commas");
    return host.hostname.replace(/\.$/, "");
  });
}

export function inboundOrigin(env: Bindings): string | null {
  const origin = text(env.INBOUND_ORIGIN);
  return origin === "" ? null : originIn(origin, env);
}

export function consoleOrigin(env: Bindings): string | null {
  const origin = text(env.CONSOLE_ORIGIN);
  return origin === "" ? null : originIn(origin, env);
}

/** Origins separated by commas or blanks. They become part of a header, so each is normalized by `URL`. */
export function consoleFrameAncestors(env: Bindings): string[] {
  const origins = text(env.CONSOLE_FRAME_ANCESTORS)
    .split(/[\s,]+/)
    .filter((origin) => origin !== "");
  return [...new Set(origins.map((origin) => originIn(origin, env)))];
}

function originIn(text: string, env: Bindings): string {
  const url = URL.parse(text);
  // A host may have characters that mean something in a header.
  if (url === null || url.href !== `${url.origin}/` || !/^(?:[\w.-]+|\[[\da-f:.]+\])$/.test(url.hostname))
    throw new Error("must be an address without a path");
  if (url.protocol !== "https:" && !(allowsInsecure(env) && url.protocol === "http:"))
    throw new Error("must be an https address");
  return url.origin;
}
