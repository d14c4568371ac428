/** The orders to the Worker under test, such as fault rates and its clock: plain data, set at its start and changed while it runs. */
import type { ClockSetting } from "./clock.ts";

/** Shares in [0, 1]. */
export interface Rates {
  /** Calls to a binding that throw: half before they take effect, half after. */
  d1: number;
  r2: number;
  gate: number;
  breaker: number;
  send: number;
  mail: number;
  limiter: number;
  /** Calls to a binding that hang: half before they take effect, half after. */
  hang: number;
  /** Calls that are delayed by up to 300 ms. */
  slow: number;
  /** Messages that are lost, delivered twice, or overtaken. */
  drop: number;
  repeat: number;
  hold: number;
  /** Batches that overlap with the next ones, and batches whose consumer dies half-way. */
  overlap: number;
  die: number;
  /** Calls to a gate after which its object dies, and alarms that throw before or after their work. */
  abort: number;
  alarm: number;
}

export interface Orders {
  clock: ClockSetting;
  seed: number;
  rates: Rates;
}

export const CALM: Rates = {
  d1: 0,
  r2: 0,
  gate: 0,
  breaker: 0,
  send: 0,
  mail: 0,
  limiter: 0,
  hang: 0,
  slow: 0,
  drop: 0,
  repeat: 0,
  hold: 0,
  overlap: 0,
  die: 0,
  abort: 0,
  alarm: 0,
};

/** The usual rates of a run: everything fails a little. */
export const ROUGH: Rates = {
  d1: 0.03,
  r2: 0.2,
  gate: 0.04,
  breaker: 0.05,
  send: 0.1,
  mail: 0.3,
  limiter: 0.1,
  hang: 0.01,
  slow: 0.05,
  drop: 0.12,
  repeat: 0.3,
  hold: 0.15,
  overlap: 0.6,
  die: 0.05,
  abort: 0.01,
  alarm: 0.05,
};

/** The fields of a gate's file row that the checks need. */
export interface InboxRow {
  fileId: string;
  /** The request id that its sender set. */
  requestId: string;
  state: "receiving" | "queued" | "processing" | "completed" | "failed" | "dropped";
  admittedAt: number;
  mintedAt: number;
  dueAt: number | null;
  /** Whether the payload is archived and deleted from the row. */
  archived: boolean;
}

export interface InboxReport {
  /** The gate's name; empty when the gate was never used. */
  gate: string;
  now: number;
  rows: InboxRow[];
  /** Files that a second consumer claimed while the first held their lease. */
  handedOutTwice: string[];
  /** Events in the outbox. */
  owed: number;
}

/** The state of the gates in numbers. */
export interface Backlog {
  now: number;
  unsettled: number;
  /** Rows whose payload is still in the gate. */
  unarchived: number;
  /** Events in the outbox. */
  owed: number;
  /** How long the most overdue file has been due, ms; 0 when no file is due. */
  overdueMs: number;
  overdueFile: string | null;
}

/** A stored payload after unsealing: the digest of its bytes, or why it cannot be read. */
export interface AtRest {
  fileId: string;
  sha256?: string;
  error?: string;
}

/** The outbound work that is left. */
export interface OpenDeliveries {
  now: number;
  /** Deliveries with a next attempt. */
  open: number;
  /** Deliveries that are due and whose endpoint is not leased. */
  due: number;
  /** Leased endpoints. */
  held: number;
  /** Mails that are not sent yet. */
  notices: number;
  /** When the next of these is due. */
  nextAt: number | null;
}

/** The fields of a stored delivery that the checks need. */
export interface DeliveryAtEnd {
  webhookId: string;
  /** Null when the event is no longer kept. */
  eventId: string | null;
  status: "pending" | "retrying" | "delivered" | "failed" | "skipped";
  attempts: number;
  nextAttemptAt: number | null;
  lastError: string | null;
  history: { number: number; started_at: number; ms: number; kind: string; status: number | null }[];
}

export interface WebhookAtEnd {
  id: string;
  status: "active" | "paused" | "disabled";
  disabledReason: string | null;
  held: boolean;
  /** Of all hours, by measure. */
  counts: Record<string, number>;
}

/** The counts of all hours, by scope (`connection:…`) and measure. */
export type CountsAtEnd = Record<string, Record<string, number>>;
