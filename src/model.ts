/** The vocabulary that all capabilities share: owners, environments, plans, gates, the signature window and id formats. Imports nothing. */

/** The kinds of owner of connections, API keys and webhooks. */
export const OWNER_TYPES = ["user", "employer", "payroll_company", "software_company"] as const;
export type OwnerType = (typeof OWNER_TYPES)[number];

export const ENVIRONMENTS = ["sandbox", "production"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

export const PLANS = ["sandbox", "production", "enterprise"] as const;
export type Plan = (typeof PLANS)[number];

/** How many requests a plan admits. */
export interface RateLimits {
  perMinute: number;
  perHour: number;
}

export const PLAN_LIMITS: Record<Plan, RateLimits> = {
  sandbox: { perMinute: 100, perHour: 1_000 },
  production: { perMinute: 500, perHour: 10_000 },
  enterprise: { perMinute: 2_000, perHour: 50_000 },
};

/** What a person may do in the console. `manage` includes `view`. */
export const CAPABILITIES = ["view", "manage"] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** The rate limit state of a caller, for the window that would block first. */
export interface RateStatus {
  allowed: boolean;
  limit: number;
  remaining: number;
  /** When the next request is allowed (if blocked), or when the oldest counted one leaves the window; ms since the epoch. */
  resetAt: number;
  window: "1 minute" | "1 hour";
}

/** A signed timestamp may differ from the clock by this much, in either direction. From the wire contract. */
export const SIGNATURE_WINDOW_MS = 300_000;

export const GATE_KINDS = ["connection", "key"] as const;
/** A gate belongs to an inbound connection or to an API key. */
export type GateKind = (typeof GATE_KINDS)[number];

export interface GateAddress {
  kind: GateKind;
  /** 24 lower-case hex digits: the row's id. */
  id: string;
}

/** The name of the gate's Durable Object: `connection:…` or `key:…`. */
export function gateName(gate: GateAddress): string {
  return `${gate.kind}:${gate.id}`;
}

/** Null if {@link gateName} does not produce `name`. */
export function parseGateName(name: string): GateAddress | null {
  const [, kind, id] = /^(connection|key):([0-9a-f]{24})$/.exec(name) ?? [];
  return id === undefined ? null : { kind: kind === "key" ? "key" : "connection", id };
}

/** Which hosts a webhook may have. The rules are in outbound/url-policy.ts. */
export interface UrlPolicy {
  /** Audit1's own domain names. They and every name below them are rejected. */
  ownZones: readonly string[];
  /** Host names within those zones that are allowed all the same. */
  allowedHosts: readonly string[];
  /** For local development: also allows this computer, over http and on any port. No other private host is ever allowed. */
  allowInsecure: boolean;
}

/** The parts of the gateway with settings of their own. An unusable setting stops its part and no other. */
export const SETTINGS_PARTS = [
  "key_ring",
  "portal_clients",
  "access",
  "files_creator",
  "mail",
  "own_hosts",
  "operators_webhook",
  "console",
] as const;
export type SettingsPart = (typeof SETTINGS_PARTS)[number];

/** How the ids of test events begin, whatever their type. No other event's id may. */
export const TEST_ID_PREFIX = "evt_test_";

/** The prefix with which ids of API keys are shown. */
export const API_KEY_PREFIX = "ak_";

/** The stored, lower-case form of an id that may be written with a prefix such as `ak_`. Null for any other text. */
export function objectIdOf(text: string, prefix: string): string | null {
  const bare = text.startsWith(prefix) ? text.slice(prefix.length) : text;
  return /^[0-9a-f]{24}$/i.test(bare) ? bare.toLowerCase() : null;
}

const WEBHOOK_ID = /^(?:wh_)?([0-9a-f]{24})$/i;

/** The bare id of a webhook, with or without its prefix. Null for any other text. */
export function parseWebhookId(text: string): string | null {
  return WEBHOOK_ID.exec(text)?.[1]?.toLowerCase() ?? null;
}

export const TOKEN_PREFIXES: Record<Environment, string> = {
  sandbox: "audit1_test_sk_",
  production: "audit1_live_sk_",
};
export const TOKEN_RANDOM_CHARS = 32;

const TOKEN = /^audit1_(test|live)_sk_[A-Za-z0-9]{32}$/;

/** The environment of an API key's token. Null for any other text. */
export function environmentOf(token: string): Environment | null {
  const [, kind] = TOKEN.exec(token) ?? [];
  return kind === undefined ? null : kind === "live" ? "production" : "sandbox";
}

/** The nine digits of a FEIN with or without its dash. Null for any other text. For the portal, where people enter it. */
export function normalizeFein(text: string): string | null {
  return /^\d{2}-?\d{7}$/.test(text) ? text.replace("-", "") : null;
}
