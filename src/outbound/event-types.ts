/**
 * The event types that webhooks subscribe to, the patterns they subscribe with, and the envelope of an event. Names and shapes
 * come from section 7 of the wire contract. Pure.
 */
import { type Environment, TEST_ID_PREFIX } from "../model.ts";
import { err, ok, type Result } from "../result.ts";

/** The `source` of events that the gateway itself creates. */
export const GATEWAY_SOURCE = "audit1-gateway";

/** Sent by the portal's test button to one webhook, whether or not it subscribes to the type. */
export const TEST_EVENT = "webhook.test";

/**
 * Values that receivers get wrong: characters beyond ASCII and beyond 16 bits, characters that JSON escapes, one that some
 * serializers escape, and fractions. A receiver that verifies the signature over anything but the received bytes fails on it.
 */
export const TEST_DATA = {
  message: "This is a test of your webhook.",
  employee: "José Ñúñez, Zoë Müller-Łukaszewska",
  emoji: "✅ 🧾",
  escapes: 'quote " backslash \\ line\nbreak, tab\t, slash / and bell \u0007',
  gross_wages: 52_000.75,
  share: 0.1,
};

/**
 * Sent to the operators' webhook alone. They are not in the catalogue: no pattern matches them, and nobody can report or subscribe to
 * them.
 */
export const ALERT_EVENTS = ["gateway.alert.opened", "gateway.alert.resolved"] as const;
export type AlertEvent = (typeof ALERT_EVENTS)[number];

export const EVENT_TYPES = [
  "file.uploaded",
  "file.validated",
  "file.processed",
  "file.failed",
  "audit.started",
  "audit.completed",
  "audit.adjusted",
  "audit.failed",
  "employee.created",
  "employee.updated",
  "employee.terminated",
  "policy.created",
  "policy.updated",
  "policy.renewed",
  "policy.cancelled",
  "policy.premium_adjusted",
  "payment.processed",
  "payment.failed",
  "payment.refunded",
  TEST_EVENT,
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

type Family<Type> = Type extends `${infer Name}.${string}` ? Name : never;
/** One type, all types of a family (`file.*`), or all types, including those added later (`*`). */
export type EventPattern = EventType | `${Family<EventType>}.*` | "*";

const TYPES: ReadonlySet<string> = new Set(EVENT_TYPES);
const PATTERNS: ReadonlySet<string> = new Set([...EVENT_TYPES.flatMap(patternsOf)]);
/** A list that names every type and pattern once is shorter. */
const MAX_LISTED = 100;
/** How much of an unknown name an error repeats. */
const REPEATED_CHARS = 64;

export function isEventType(name: string): name is EventType {
  return TYPES.has(name);
}

/** Every pattern that matches `type`. A webhook subscribes to the type if its list contains one of them. */
export function patternsOf(type: EventType): EventPattern[] {
  const family = type.slice(0, type.indexOf(".")) as Family<EventType>;
  return [type, `${family}.*`, "*"];
}

/** Whether a webhook with these patterns subscribes to `type`. */
export function matches(patterns: readonly string[], type: EventType): boolean {
  return patternsOf(type).some((pattern) => patterns.includes(pattern));
}

/** Whether an event may be sent to a webhook with these patterns. A test may always be sent. */
export function maySend(patterns: readonly string[], { id, type }: { id: string; type: EventType }): boolean {
  return id.startsWith(TEST_ID_PREFIX) || matches(patterns, type);
}

/** The types and patterns as they are stored: each once, in the order given. The error maps field paths to messages. */
export function checkEventPatterns(names: readonly string[]): Result<EventPattern[], Record<string, string>> {
  if (names.length === 0) return err({ events: "Name at least one event, or *" });
  if (names.length > MAX_LISTED) return err({ events: `At most ${MAX_LISTED} entries` });
  const details: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    if (!isPattern(name)) details[`events[${index}]`] = `Unknown event ${JSON.stringify(shortened(name))}`;
  }
  if (Object.keys(details).length > 0) return err(details);
  return ok([...new Set(names)].filter(isPattern));
}

function isPattern(name: string): name is EventPattern {
  return PATTERNS.has(name);
}

function shortened(name: string): string {
  return name.length > REPEATED_CHARS ? `${name.slice(0, REPEATED_CHARS)}…` : name;
}

/** The body of a delivery. */
export interface Envelope {
  id: string;
  type: EventType | AlertEvent;
  /** ISO 8601 in UTC with milliseconds. Both fields hold the same time: the API documents name it differently. */
  timestamp: string;
  created_at: string;
  data: unknown;
  metadata: {
    source: string;
    environment: Environment;
    /** Increases with every event of the owner and environment, in the order of storing: receivers detect outdated events by it. */
    sequence: number;
  };
}

export interface EventFacts {
  id: string;
  type: EventType | AlertEvent;
  /** When it happened, milliseconds. */
  createdAt: number;
  source: string;
  environment: Environment;
  /** The event's `seq`: an integer below 2^53. */
  sequence: number;
}

export function envelopeOf(event: EventFacts, data: unknown): Envelope {
  const { id, type, source, environment, sequence } = event;
  const at = new Date(event.createdAt).toISOString();
  return { id, type, timestamp: at, created_at: at, data, metadata: { source, environment, sequence } };
}

/**
 * The body of a delivery: exactly what `JSON.stringify` makes of the envelope, so that a receiver that parses and serializes it
 * again gets the bytes that were signed. `data` is the event's data as `JSON.stringify` wrote it; it is not parsed.
 */
export function eventBody(event: EventFacts, data: string): string {
  const { data: _, metadata, ...head } = envelopeOf(event, null);
  return `${JSON.stringify(head).slice(0, -1)},"data":${data},"metadata":${JSON.stringify(metadata)}}`;
}
