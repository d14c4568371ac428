/**
 * The events that webhooks can ask for, the patterns they ask with, and the envelope an event travels in. Names and shapes
 * are the wire contract's, section 7. Pure.
 */
import type { Environment } from "../model.ts";

/** Sent by the portal's test button, to one webhook, whatever it asked for. */
export const TEST_EVENT = "webhook.test";

/**
 * What real events hold and receivers get wrong: characters beyond ASCII and beyond 16 bits, characters that JSON escapes, one
 * that some printers escape, and fractions. A receiver that checks the signature over anything but the bytes fails on it.
 */
export const TEST_DATA = {
  message: "This is a test of your webhook.",
  employee: "José Ñúñez, Zoë Müller-Łukaszewska",
  emoji: "✅ 🧾",
  escapes: 'quote " backslash \\ line\nbreak, tab\t, slash / and bell \u0007',
  gross_wages: 52_000.75,
  share: 0.1,
};

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
/** A type, all types of a family (`file.*`), or all there are, those of later versions too (`*`). */
export type EventPattern = EventType | `${Family<EventType>}.*` | "*";

const TYPES: ReadonlySet<string> = new Set(EVENT_TYPES);
const PATTERNS: ReadonlySet<string> = new Set([...EVENT_TYPES.flatMap(patternsOf)]);
/** A list that names everything once is shorter. */
const MAX_LISTED = 100;
/** Of an unknown name, as much as an error repeats. */
const REPEATED_CHARS = 64;

export function isEventType(name: string): name is EventType {
  return TYPES.has(name);
}

/** Every pattern that matches `type`: what a stored list has to contain one of. */
export function patternsOf(type: EventType): EventPattern[] {
  const family = type.slice(0, type.indexOf(".")) as Family<EventType>;
  return [type, `${family}.*`, "*"];
}

/** Whether a webhook with these patterns asked for `type`. */
export function matches(patterns: readonly string[], type: EventType): boolean {
  return patternsOf(type).some((pattern) => patterns.includes(pattern));
}

/** Whether an event may be sent to a webhook with these patterns: a test goes out whatever they are. */
export function maySend(patterns: readonly string[], type: EventType): boolean {
  return type === TEST_EVENT || matches(patterns, type);
}

export type CheckedEvents =
  | { ok: true; events: EventPattern[] }
  /** Path to message, as error details are. */
  | { ok: false; details: Record<string, string> };

/** A list of types and patterns as a webhook is to keep it: known names only, each once, in the order given. */
export function checkEvents(names: readonly string[]): CheckedEvents {
  if (names.length === 0) return { ok: false, details: { events: "Name at least one event, or *" } };
  if (names.length > MAX_LISTED) return { ok: false, details: { events: `At most ${MAX_LISTED} entries` } };
  const details: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    if (!isPattern(name)) details[`events[${index}]`] = `Unknown event ${JSON.stringify(shortened(name))}`;
  }
  if (Object.keys(details).length > 0) return { ok: false, details };
  return { ok: true, events: [...new Set(names)].filter(isPattern) };
}

function isPattern(name: string): name is EventPattern {
  return PATTERNS.has(name);
}

function shortened(name: string): string {
  return name.length > REPEATED_CHARS ? `${name.slice(0, REPEATED_CHARS)}…` : name;
}

/** What a receiver gets. */
export interface Envelope {
  id: string;
  type: EventType;
  /** ISO 8601 in UTC with milliseconds; the same moment twice, under the names of both documents. */
  timestamp: string;
  created_at: string;
  data: unknown;
  metadata: {
    source: string;
    environment: Environment;
    /** Grows with every event of the owner and environment, in storing order: a receiver tells old news from new by it. */
    sequence: number;
  };
}

export interface EventFacts {
  id: string;
  type: EventType;
  /** When it happened, milliseconds. */
  createdAt: number;
  source: string;
  environment: Environment;
  /** The event's `seq`: a whole number below 2^53. */
  sequence: number;
}

export function envelopeOf(event: EventFacts, data: unknown): Envelope {
  const { id, type, source, environment, sequence } = event;
  const at = new Date(event.createdAt).toISOString();
  return { id, type, timestamp: at, created_at: at, data, metadata: { source, environment, sequence } };
}

/**
 * The body of a delivery: exactly what `JSON.stringify` makes of the envelope, so that a receiver that parses and prints it
 * again has the bytes that were signed. `data` is the text that `JSON.stringify` made of the event's data, and is not parsed.
 */
export function eventBody(event: EventFacts, data: string): string {
  const { data: _, metadata, ...head } = envelopeOf(event, null);
  return `${JSON.stringify(head).slice(0, -1)},"data":${data},"metadata":${JSON.stringify(metadata)}}`;
}
