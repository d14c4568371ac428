/**
 * What the Worker is given, read once: bindings as wrangler generates their types, settings parsed from variables and
 * secrets. A setting that cannot be used stops the Worker with a {@link ConfigurationError} that says which and why.
 */
import * as z from "zod";
import { type KeyRing, parseKeyRing } from "./crypto/vault.ts";
import { OWNER_TYPES } from "./db/schema.ts";
import type { WakeUp } from "./gate/protocol.ts";
import type { AddressPolicy } from "./outbound/address.ts";
import type { EndpointWakeUp } from "./outbound/wake-up.ts";

/** `FILES_CREATOR` is bound, or `FILES_CREATOR_URL` is set: one of the two. */
export type Bindings = Omit<
  Cloudflare.Env,
  "FILES" | "DELIVERIES" | "DELIVERIES_SLOW" | "DELIVERIES_NEW" | "FILES_CREATOR"
> & {
  FILES: Queue<WakeUp>;
  DELIVERIES: Queue<EndpointWakeUp>;
  DELIVERIES_SLOW: Queue<EndpointWakeUp>;
  DELIVERIES_NEW: Queue<EndpointWakeUp>;
  FILES_CREATOR?: Fetcher;
  FILES_CREATOR_TOKEN?: string;
};

const portalClients = z.array(
  z.strictObject({
    id: z.string().min(1).max(64),
    secret_sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits"),
    /** Binds the pair to one owner. */
    owner: z.strictObject({ type: z.enum(OWNER_TYPES), id: z.string().min(1).max(64) }).optional(),
  }),
);
export type PortalClient = z.infer<typeof portalClients>[number];

/** The Cloudflare Access application in front of the portal's paths. */
export interface AccessTeam {
  issuer: string;
  /** The application's audience tag. */
  audience: string;
}

export interface Settings {
  maxBodyBytes: number;
  archiveAfterMs: number;
  keyRing: KeyRing;
  portalClients: PortalClient[];
  /** Null where nobody comes through Access. */
  access: AccessTeam | null;
  filesCreator: { url: string; token: string | null };
  operatorsEmail: string;
  emailFrom: string;
  /** Where webhooks may lead. */
  addressPolicy: AddressPolicy;
  /** What a connection's address begins with; null for whatever the gateway is asked under. */
  inboundOrigin: string | null;
}

export class ConfigurationError extends Error {}

const LARGEST_BODY_BYTES = 10 * 1024 ** 2;

const parsed = new WeakMap<object, Settings>();

/** Throws a {@link ConfigurationError}; its message never repeats a secret. */
export function readSettings(env: Bindings): Settings {
  const known = parsed.get(env);
  if (known !== undefined) return known;
  const inbound = checked("INBOUND_ORIGIN", () => inboundOrigin(env));
  const settings: Settings = {
    maxBodyBytes: integer("MAX_BODY_BYTES", env.MAX_BODY_BYTES, 1_024, LARGEST_BODY_BYTES),
    archiveAfterMs: integer("ARCHIVE_AFTER_SECONDS", env.ARCHIVE_AFTER_SECONDS, 1, 86_400) * 1_000,
    keyRing: checked("VAULT_KEYS", () => parseKeyRing(env.VAULT_KEYS)),
    portalClients: checked("PORTAL_CLIENTS", () => parsePortalClients(env.PORTAL_CLIENTS)),
    access: checked("ACCESS_TEAM", () => accessTeam(env.ACCESS_TEAM, env.ACCESS_AUD)),
    filesCreator: {
      url: checked("FILES_CREATOR_URL", () => filesCreatorUrl(env)),
      token: env.FILES_CREATOR_TOKEN || null,
    },
    operatorsEmail: checked("OPERATORS_EMAIL", () => emailAddress(env.OPERATORS_EMAIL)),
    emailFrom: checked("EMAIL_FROM", () => emailAddress(env.EMAIL_FROM)),
    addressPolicy: checked("OWN_ZONES", () => addressPolicy(env, inbound)),
    inboundOrigin: inbound,
  };
  parsed.set(env, settings);
  return settings;
}

function integer(name: string, text: string | undefined, lowest: number, highest: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < lowest || value > highest) {
    throw new ConfigurationError(`${name} must be an integer from ${lowest} to ${highest}`);
  }
  return value;
}

function checked<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new ConfigurationError(`${name}: ${error instanceof Error ? error.message : "cannot be read"}`);
  }
}

function parsePortalClients(text: string | undefined): PortalClient[] {
  if (!text) throw new Error("is not set: it lists the portal's client ids and the hashes of their secrets");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error("is not JSON");
  }
  const result = portalClients.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`${issue?.path.join(".") || "the list"}: ${issue?.message}`);
}

function emailAddress(text: string | undefined): string {
  const result = z.email().safeParse(text);
  if (!result.success) throw new Error("must be an e-mail address");
  return result.data;
}

function accessTeam(team: string | undefined, audience: string | undefined): AccessTeam | null {
  if (!team && !audience) return null;
  if (!team || !audience) throw new Error("must be set together with ACCESS_AUD, or neither");
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(team)) {
    throw new Error("must be the team's name alone: acme, for acme.cloudflareaccess.com");
  }
  return { issuer: `https://${team}.cloudflareaccess.com`, audience };
}

/** A service binding ignores the host of the address. */
function filesCreatorUrl(env: Bindings): string {
  if (env.FILES_CREATOR !== undefined) return "https://files-creator/files";
  if (!env.FILES_CREATOR_URL) throw new Error("must be set where no FILES_CREATOR service is bound");
  const url = new URL(env.FILES_CREATOR_URL);
  if (url.protocol !== "https:") throw new Error("must be an https address");
  return `${url.href.replace(/\/$/, "")}/files`;
}

/** The host of `INBOUND_ORIGIN` is ours even where no zone says so. */
function addressPolicy(env: Bindings, inbound: string | null): AddressPolicy {
  const zones = hostNames(env.OWN_ZONES);
  return {
    ownZones: inbound === null ? zones : [...zones, new URL(inbound).hostname],
    allowedHosts: hostNames(env.OWN_ZONE_TARGETS),
    allowInsecure: allowsInsecure(env),
  };
}

/** Whether this is a gateway for development on one machine, which speaks plain http with its senders and receivers. */
export function allowsInsecure(env: Pick<Bindings, "ALLOW_INSECURE_ENDPOINTS">): boolean {
  return env.ALLOW_INSECURE_ENDPOINTS?.trim() === "true";
}

/** Separated by commas or blanks; as `URL` writes them, so that they compare. */
function hostNames(text: string | undefined): string[] {
  const names = (text ?? "").split(/[\s,]+/).filter((name) => name !== "");
  return names.map((name) => {
    const host = URL.canParse(`https://${name}`) ? new URL(`https://${name}`) : null;
    if (host === null || host.href !== `https://${host.hostname}/`)
      throw new Error("must be host names, separated by commas");
    return host.hostname.replace(/\.$/, "");
  });
}

function inboundOrigin(env: Bindings): string | null {
  const text = env.INBOUND_ORIGIN?.trim();
  if (!text) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.href !== `${url.origin}/`) throw new Error("must be an address without a path");
  if (url.protocol !== "https:" && !(allowsInsecure(env) && url.protocol === "http:"))
    throw new Error("must be an https address");
  return url.origin;
}
