/** The webhooks of the run: their owners, their subscriptions, and how their receivers behave. */
export type Owner = { owner_type: "payroll_company" | "employer"; owner_id: string };
export const ENVIRONMENTS = ["sandbox", "production"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** Has no webhook. */
export const UNHEARD: Owner = { owner_type: "payroll_company", owner_id: "faults" };
export const HEARD: Owner = { owner_type: "payroll_company", owner_id: "heard" };
/** Another owner type with the same id. */
export const NAMESAKE: Owner = { owner_type: "employer", owner_id: "heard" };
export const OWNERS = [UNHEARD, HEARD, NAMESAKE] as const;

/**
 * How a receiver behaves during the storm. Afterwards all accept every request, except the last two: `dead` never accepts one,
 * and `leaving` responds 410 after a while, and from then on.
 */
export type Character = "steady" | "rough" | "slow" | "dead" | "leaving";

export interface EndpointPlan {
  name: string;
  owner: Owner;
  environment: Environment;
  events: string[];
  max_in_flight: number;
  signature_format: "timestamped" | "sha256";
  character: Character;
}

/** The endpoint of a stored webhook. */
export interface Endpoint extends EndpointPlan {
  /** Without its `wh_`. */
  webhookId: string;
  secret: string;
}

const PRODUCTION = { owner: HEARD, environment: "production", signature_format: "timestamped" } as const;

export const ENDPOINTS: readonly EndpointPlan[] = [
  { ...PRODUCTION, name: "all", events: ["*"], max_in_flight: 4, character: "rough" },
  { ...PRODUCTION, name: "files", events: ["file.*"], max_in_flight: 2, character: "rough" },
  {
    ...PRODUCTION,
    name: "ends-of-files",
    events: ["file.uploaded", "file.failed"],
    max_in_flight: 1,
    signature_format: "sha256",
    character: "slow",
  },
  { ...PRODUCTION, name: "audits", events: ["audit.*"], max_in_flight: 3, character: "dead" },
  { ...PRODUCTION, name: "payments", events: ["payment.*"], max_in_flight: 2, character: "leaving" },
  {
    ...PRODUCTION,
    name: "sandbox",
    environment: "sandbox",
    events: ["*"],
    max_in_flight: 2,
    character: "rough",
  },
  { ...PRODUCTION, name: "namesake", owner: NAMESAKE, events: ["*"], max_in_flight: 6, character: "slow" },
  {
    ...PRODUCTION,
    name: "namesakes-people",
    owner: NAMESAKE,
    events: ["employee.*", "policy.created"],
    max_in_flight: 1,
    character: "steady",
  },
];

/** The fields of an event that decide its subscribers. */
export interface Told {
  owner: Owner;
  environment: Environment;
  type: string;
}

export function isSameOwner(a: Owner, b: Owner): boolean {
  return a.owner_type === b.owner_type && a.owner_id === b.owner_id;
}

export function asksFor(endpoint: EndpointPlan, { owner, environment, type }: Told): boolean {
  const mine = isSameOwner(endpoint.owner, owner) && endpoint.environment === environment;
  const family = `${type.slice(0, type.indexOf("."))}.*`;
  return mine && endpoint.events.some((pattern) => ["*", family, type].includes(pattern));
}
