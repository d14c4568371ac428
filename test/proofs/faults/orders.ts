/** What the Worker under test is told to suffer: plain data, given to it at its start and changed while it runs. */
import type { ClockSetting } from "./clock.ts";

/** Shares in [0, 1]. */
export interface Rates {
  /** Calls of a binding that throw: half of them before they took effect, half after. */
  d1: number;
  r2: number;
  gate: number;
  breaker: number;
  send: number;
  mail: number;
  limiter: number;
  /** Calls of a binding that never answer: half of them before they took effect, half after. */
  hang: number;
  /** Calls that are held up for up to 300 ms. */
  slow: number;
  /** Messages that are lost, come twice, or come later than those behind them. */
  drop: number;
  repeat: number;
  hold: number;
  /** Batches that run beside the next ones, and batches whose consumer dies half-way. */
  overlap: number;
  die: number;
  /** Calls of a gate at whose end its object dies, and alarms that throw before or after their work. */
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

/** The usual weather of a run: everything fails a little. */
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

/** One row of a gate's inbox, as far as the checks need it. */
export interface InboxRow {
  fileId: string;
  /** The id that its sender gave it. */
  requestId: string;
  state: "receiving" | "queued" | "processing" | "completed" | "failed" | "dropped";
  admittedAt: number;
  mintedAt: number;
  dueAt: number | null;
  /** Whether the payload has left for the archive. */
  archived: boolean;
}

export interface InboxReport {
  /** Its name; empty when it was never spoken to. */
  gate: string;
  now: number;
  rows: InboxRow[];
  /** Files that were handed to a second consumer while the first held them. */
  handedOutTwice: string[];
  /** Events of files that are still to be told. */
  owed: number;
}

/** Where the gates stand, without their rows. */
export interface Backlog {
  now: number;
  unsettled: number;
  /** Rows whose payload is still in the gate. */
  unarchived: number;
  /** Events of files that are still to be told. */
  owed: number;
  /** For how long the row that is due longest has been due, ms; 0 when none is. */
  overdueMs: number;
  overdueFile: string | null;
}

/** A stored payload, opened: the digest of its bytes, or why it cannot be read. */
export interface AtRest {
  fileId: string;
  sha256?: string;
  error?: string;
}

/** What is still to be done for webhooks. */
export interface OpenDeliveries {
  now: number;
  /** Deliveries with a next attempt. */
  open: number;
  /** Of these, those that are due and that nobody holds. */
  due: number;
  /** Endpoints that somebody holds. */
  held: number;
  /** Mails that have not gone. */
  notices: number;
  /** When the first of all this is due. */
  nextAt: number | null;
}

/** One delivery as it is stored, as far as the checks need it. */
export interface DeliveryAtEnd {
  webhookId: string;
  /** Null where the event is gone. */
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
}
