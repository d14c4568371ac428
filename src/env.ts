/**
 * The settings, parsed once from variables and secrets. Each part of the gateway reads its own settings. An unusable setting
 * stops its part with a {@link ConfigurationError}, and no other part.
 */
import * as z from "zod";
import type { Bindings } from "./bindings.ts";
import { unbounded } from "./bounded.ts";
import { type KeyRing, parseKeyRing } from "./crypto/vault.ts";
import { logError } from "./log.ts";
import { OWNER_TYPES, type SettingsPart, type UrlPolicy } from "./model.ts";

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

/** Reading an unusable setting throws a {@link ConfigurationError}. Each comment names the part that the setting belongs to. */
export interface Settings {
  readonly maxBodyBytes: number;
  readonly archiveAfterMs: number;
  /** Own hosts. The hosts that webhooks may and may not have. */
  readonly urlPolicy: UrlPolicy;
  /** Own hosts. The origin of a connection's address. Null for the origin of the current request. */
  readonly inboundOrigin: string | null;
  /** Key ring. */
  readonly keyRing: KeyRing;
  /** Portal clients. The usable entries. */
  readonly portalClients: readonly PortalClient[];
  /** Access. Null if Access is not used. */
  readonly access: AccessTeam | null;
  /** Files-creator. */
  readonly filesCreator: { url: string; token: string | null };
  /** Mail. */
  readonly operatorsEmail: string;
  /** Mail. */
  readonly emailFrom: string | EmailAddress;
  /** Operators' webhook: where events about alerts are posted. Null if there is none. */
  readonly operatorsWebhook: OperatorsWebhook | null;
  /** Portal clients. The ids of unusable entries. */
  readonly unusableClients: ReadonlySet<string>;
  /** The problems of all settings, as they are logged. Never contains a secret. */
  readonly problems: readonly string[];
}

/** The message never contains a secret. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly part: SettingsPart;

  constructor(part: SettingsPart, message: string) {
    super(message);
    this.part = part;
  }
}

const LARGEST_BODY_BYTES = 10 * 1024 ** 2;
const SMALLEST_LIMIT_BYTES = 1_024;
const DEFAULT_ARCHIVE_AFTER_S = 3_600;
const LONGEST_ARCHIVE_AFTER_S = 86_400;

const parsed = new WeakMap<object, Settings>();

/** Never throws: see {@link Settings}. Problems are logged once. */
export function readSettings(bindings: Bindings): Settings {
  const env = unbounded(bindings);
  const known = parsed.get(env);
  if (known !== undefined) return known;
  const settings = settingsOf(env);
  parsed.set(env, settings);
  for (const problem of settings.problems) logError("failed to read a setting", {}, new Error(problem));
  return settings;
}

function settingsOf(env: Bindings): Settings {
  const problems: string[] = [];
  const of = <T>(part: SettingsPart, name: string, parse: () => T) => setting(part, name, parse, problems);
  const keyRing = of("key_ring", "VAULT_KEYS", () => parseKeyRing(text(env.VAULT_KEYS)));
  const clients = of("portal_clients", "PORTAL_CLIENTS", () =>
    parsePortalClients(text(env.PORTAL_CLIENTS), problems),
  );
  const access = of("access", "ACCESS_TEAM", () => accessTeam(text(env.ACCESS_TEAM), text(env.ACCESS_AUD)));
  const filesUrl = of("files_creator", "FILES_CREATOR_URL", () => filesCreatorUrl(env));
  const filesToken = of("files_creator", "FILES_CREATOR_TOKEN", () => filesCreatorToken(env));
  const operators = of("mail", "OPERATORS_EMAIL", () => emailAddress(text(env.OPERATORS_EMAIL)).email);
  const from = of("mail", "EMAIL_FROM", () => sender(emailAddress(text(env.EMAIL_FROM))));
  const inbound = of("own_hosts", "INBOUND_ORIGIN", () => inboundOrigin(env));
  const policy = of("own_hosts", "OWN_ZONES", () => urlPolicy(env, inbound()));
  const alerts = of("operators_webhook", "OPERATORS_WEBHOOK_URL", () => operatorsWebhook(env));
  const size = { lowest: SMALLEST_LIMIT_BYTES, highest: LARGEST_BODY_BYTES, otherwise: LARGEST_BODY_BYTES };
  const delay = { lowest: 1, highest: LONGEST_ARCHIVE_AFTER_S, otherwise: DEFAULT_ARCHIVE_AFTER_S };
  return {
    maxBodyBytes: integer("MAX_BODY_BYTES", env.MAX_BODY_BYTES, size, problems),
    archiveAfterMs: integer("ARCHIVE_AFTER_SECONDS", env.ARCHIVE_AFTER_SECONDS, delay, problems) * 1_000,
    get keyRing() {
      return keyRing();
    },
    get portalClients() {
      return clients().usable;
    },
    get unusableClients() {
      return clients().unusable;
    },
    get urlPolicy() {
      return policy();
    },
    get inboundOrigin() {
      return inbound();
    },
    get access() {
      return access();
    },
    get filesCreator() {
      return { url: filesUrl(), token: filesToken() };
    },
    get operatorsEmail() {
      return operators();
    },
    get emailFrom() {
      return from();
    },
    get operatorsWebhook() {
      return alerts();
    },
    problems,
  };
}

/** The text of a setting. Deployment tools may add blanks around it, or set a number, boolean or list instead of a string. */
function text(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value.trim() : JSON.stringify(value);
}

/** Parses a value now. If that fails, reading the value later throws the error. */
function setting<T>(part: SettingsPart, name: string, parse: () => T, problems: string[]): () => T {
  try {
    const value = parse();
    return () => value;
  } catch (error) {
    if (error instanceof ConfigurationError) {
      // The problem of another setting, which is recorded already.
      return () => {
        throw error;
      };
    }
    const problem = `${name}: ${error instanceof Error ? error.message : "cannot be read"}`;
    problems.push(problem);
    return () => {
      throw new ConfigurationError(part, problem);
    };
  }
}

/** An invalid limit must not stop intake, so the default is used. */
function integer(
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
function parsePortalClients(value: string, problems: string[]): PortalClients {
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
function emailAddress(value: string): EmailAddress {
  const [, name = "", inBrackets] = /^(.*?)\s*<([^<>]*)>$/.exec(value) ?? [];
  const result = z.email().safeParse((inBrackets ?? value).trim());
  if (!result.success) throw new Error("must be an e-mail address");
  return { name: name.replace(/^"(.*)"$/, "$1").trim(), email: result.data };
}

function sender(address: EmailAddress): string | EmailAddress {
  return address.name === "" ? address.email : address;
}

function accessTeam(team: string, audience: string): AccessTeam | null {
  if (team === "" && audience === "") return null;
  if (team === "" || audience === "") throw new Error("must be set together with ACCESS_AUD, or neither");
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(team)) {
    throw new Error("must be the team's name alone: acme, for acme.cloudflareaccess.com");
  }
  return { issuer: `https://${team}.cloudflareaccess.com`, audience };
}

const WEBHOOK_SECRET = /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/;

/** The other rules for addresses (outbound/url-policy.ts) are checked before each post, as they are for every webhook. */
function operatorsWebhook(env: Bindings): OperatorsWebhook | null {
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
function filesCreatorUrl(env: Bindings): string {
  if (env.FILES_CREATOR !== undefined) return "https://files-creator/files";
  const value = text(env.FILES_CREATOR_URL);
  if (value === "") throw new Error("must be set where no FILES_CREATOR service is bound");
  const url = URL.parse(value);
  if (url?.protocol !== "https:") throw new Error("must be an https address");
  return `${url.href.replace(/\/$/, "")}/files`;
}

/** Other characters are not allowed in a header. */
function filesCreatorToken(env: Bindings): string | null {
  const token = text(env.FILES_CREATOR_TOKEN);
  if (!/^[\x21-\x7e]*$/.test(token)) throw new Error("must be printable ASCII without blanks");
  return token === "" ? null : token;
}

/** The host of `INBOUND_ORIGIN` is one of our own, even if no zone contains it. */
function urlPolicy(env: Bindings, inbound: string | null): UrlPolicy {
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

function inboundOrigin(env: Bindings): string | null {
  const origin = text(env.INBOUND_ORIGIN);
  if (origin === "") return null;
  const url = URL.canParse(origin) ? new URL(origin) : null;
  if (url === null || url.href !== `${url.origin}/`) throw new Error("must be an address without a path");
  if (url.protocol !== "https:" && !(allowsInsecure(env) && url.protocol === "http:"))
    throw new Error("must be an https address");
  return url.origin;
}
