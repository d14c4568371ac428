/**
 * D1: configuration and what operators look at. No table here is written by an accepted report.
 *
 * Times are integer milliseconds since the epoch. No foreign key cascades: on D1 a rebuilt table would take
 * its children with it. Each table says who deletes from it.
 */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { ENVIRONMENTS, OWNER_TYPES, PLANS } from "../model.ts";

/** What an audit row tells of an object. */
export type AuditedFields = Readonly<Record<string, unknown>>;

/** A secret of a connection, sealed under the connection's data key. `expires_at` is set by a rotation. */
export interface StoredSecret {
  id: string;
  sealed: string;
  created_at: number;
  expires_at: number | null;
}

/**
 * Inbound connections. Rows are soft-deleted by the portal and never removed: file ids name them. The minute cron empties
 * `data_key` and `secrets` of those that are to be erased, once `erase_at` has come.
 */
export const connections = sqliteTable(
  "connections",
  {
    id: text("id").primaryKey(),
    type: text("type").notNull(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    status: text("status", { enum: ["active", "inactive"] }).notNull(),
    plan: text("plan", { enum: PLANS }).notNull(),
    environment: text("environment", { enum: ENVIRONMENTS }).notNull(),
    employer_id: text("employer_id"),
    default_wait_seconds: integer("default_wait_seconds").notNull().default(0),
    same_body: text("same_body", { enum: ["accept", "deduplicate"] })
      .notNull()
      .default("accept"),
    retention_years: integer("retention_years").notNull().default(7),
    description: text("description"),
    secrets: text("secrets", { mode: "json" }).$type<StoredSecret[]>().notNull(),
    data_key: text("data_key").notNull(),
    /** Grows with every change; the gate refuses callers who know an older one. */
    version: integer("version").notNull(),
    /** The version the gate was last told. Behind `version`, the minute cron tells it. */
    gate_version: integer("gate_version").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
    deleted_at: integer("deleted_at"),
    /** When the data key is deleted, and with it all that rests under it. Only ever set on a deleted connection. */
    erase_at: integer("erase_at"),
  },
  (table) => [
    index("connections_listed")
      .on(table.owner_type, table.owner_id, table.created_at, table.id)
      .where(sql`deleted_at IS NULL`),
    index("connections_erase").on(table.erase_at).where(sql`erase_at IS NOT NULL AND data_key <> ''`),
    index("connections_gate_behind").on(table.id).where(sql`gate_version <> version`),
  ],
);

/**
 * Bearer keys of the developer API. Deactivated by the portal, never removed: file ids name them. The minute cron empties
 * `data_key` of those that are to be erased, once `erase_at` has come.
 */
export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text("id").primaryKey(),
    /** Hex SHA-256 of the whole bearer token: 160 random bits need no salt. */
    token_sha256: text("token_sha256").notNull(),
    /** The first characters, so that people recognise a key. */
    prefix: text("prefix").notNull(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    environment: text("environment", { enum: ENVIRONMENTS }).notNull(),
    plan: text("plan", { enum: PLANS }).notNull(),
    is_active: integer("is_active", { mode: "boolean" }).notNull(),
    /** To the hour; null while unused. */
    last_used_at: integer("last_used_at"),
    data_key: text("data_key").notNull(),
    version: integer("version").notNull(),
    gate_version: integer("gate_version").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
    /** When the data key is deleted, and with it all that came under this key. Only ever set on a deactivated key. */
    erase_at: integer("erase_at"),
  },
  (table) => [
    uniqueIndex("api_keys_token").on(table.token_sha256),
    index("api_keys_listed").on(table.owner_type, table.owner_id, table.created_at, table.id),
    index("api_keys_active")
      .on(table.owner_type, table.owner_id, table.created_at, table.id)
      .where(sql`is_active = 1`),
    index("api_keys_erase").on(table.erase_at).where(sql`erase_at IS NOT NULL AND data_key <> ''`),
    index("api_keys_gate_behind").on(table.id).where(sql`gate_version <> version`),
  ],
);

/** Employers whose payroll may be reported. Written and kept by the portal. */
export const employers = sqliteTable(
  "employers",
  {
    id: text("id").primaryKey(),
    /** Nine digits, no dash. */
    fein: text("fein"),
    name: text("name").notNull(),
    /** Grows with every change to the employer or to its grants. */
    version: integer("version").notNull().default(0),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [uniqueIndex("employers_fein").on(table.fein)],
);

/** Who may report for whom. Replaced as a whole, per employer, by the portal. */
export const employerGrants = sqliteTable(
  "employer_grants",
  {
    employer_id: text("employer_id").notNull(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.employer_id, table.owner_type, table.owner_id] }),
    index("employer_grants_owner").on(table.owner_type, table.owner_id, table.employer_id),
  ],
);

/**
 * Files that had to be deferred or that failed, for operators. Written by the forwarding consumer, deleted by it
 * when the file succeeds, and by the minute cron when it finds the file settled or gone.
 */
export const attention = sqliteTable(
  "attention",
  {
    file_id: text("file_id").primaryKey(),
    reason: text("reason").notNull(),
    /** The HTTP status of the files-creator, null where there was no answer. */
    response_status: integer("response_status"),
    attempts: integer("attempts").notNull(),
    next_attempt_at: integer("next_attempt_at"),
    first_at: integer("first_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [index("attention_updated").on(table.updated_at)],
);

/** What the audit trail is about. */
export const SUBJECT_KINDS = [
  "connection",
  "api_key",
  "employer",
  "webhook",
  "file",
  "vault",
  "owner",
] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** Rows from before that show a webhook's whole address. A query that repeats these words reads the index of such rows. */
export const SHOWS_ADDRESS =
  "subject_kind = 'webhook' AND coalesce(json_extract(before, '$.url'), json_extract(after, '$.url')) IS NOT NULL";

/**
 * The audit trail: one row per change. The minute cron masks addresses in rows from before and deletes rows after seven years;
 * nothing else changes one.
 */
export const audit = sqliteTable(
  "audit",
  {
    /** Sorts by time, and the changes of one object in the order in which they happened. */
    id: text("id").primaryKey(),
    at: integer("at").notNull(),
    /** `client:{id}` of a portal pair, `access:{e-mail address}` of a person, `system:{part}` of the gateway itself. */
    actor: text("actor").notNull(),
    /** `{subject kind}.{what happened}`, such as `connection.updated`. */
    action: text("action").notNull(),
    subject_kind: text("subject_kind", { enum: SUBJECT_KINDS }).notNull(),
    subject_id: text("subject_id").notNull(),
    /** Both null for what belongs to no owner. */
    owner_type: text("owner_type", { enum: OWNER_TYPES }),
    owner_id: text("owner_id"),
    request_id: text("request_id").notNull(),
    /** The fields that changed; null for what did not exist before. Never a secret or a sealed value. */
    before: text("before", { mode: "json" }).$type<AuditedFields>(),
    /** The same fields afterwards; null for what does not exist any more. */
    after: text("after", { mode: "json" }).$type<AuditedFields>(),
  },
  (table) => [
    index("audit_subject").on(table.subject_kind, table.subject_id, table.id),
    index("audit_owner").on(table.owner_type, table.owner_id, table.id),
    index("audit_action").on(table.action, table.id),
    index("audit_unmasked").on(table.id).where(sql.raw(SHOWS_ADDRESS)),
  ],
);

/**
 * One random data key per owner, under which everything outbound of that owner rests: secrets and headers of its webhooks,
 * the data of its events, the answers to its deliveries. Made with an owner's first webhook or event. The minute cron deletes
 * those of owners that are to be erased, once `erase_at` has come; what an owner does after that is under a new one.
 */
export const ownerKeys = sqliteTable(
  "owner_keys",
  {
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    data_key: text("data_key").notNull(),
    created_at: integer("created_at").notNull(),
    erase_at: integer("erase_at"),
  },
  (table) => [
    primaryKey({ columns: [table.owner_type, table.owner_id] }),
    index("owner_keys_erase").on(table.erase_at).where(sql`erase_at IS NOT NULL`),
  ],
);

/**
 * What creating requests with an `Idempotency-Key` made in the last 24 hours, so that a repeat answers the same object. A row is
 * written in the batch that makes its object, and changed in the one that ends its secret. The minute cron deletes rows, and with
 * them the tokens; erasing an owner takes its rows along.
 */
export const creations = sqliteTable(
  "creations",
  {
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    /** Hex SHA-256 of the client, the route and the key. */
    name: text("name").notNull(),
    object_id: text("object_id").notNull(),
    /** Base64 of a fingerprint of the body, under the data key of the object: tells a repeat from another request. */
    body_mac: text("body_mac").notNull(),
    /** An API key's token, in base64, sealed under its data key. Null for objects that hold their secrets themselves. */
    sealed_token: text("sealed_token"),
    /** Whether the secret was rotated, deactivated or deleted: then no repeat answers it any more. */
    secret_ended: integer("secret_ended", { mode: "boolean" }).notNull(),
    created_at: integer("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.owner_type, table.owner_id, table.name] }),
    index("creations_created").on(table.created_at),
  ],
);

/** A secret of a webhook, sealed under its owner's data key. */
export interface StoredWebhookSecret extends StoredSecret {
  /** Whether it may lead: a rotated-in secret stands behind the old one until it is activated or the old one has ended. */
  activated: boolean;
}

/** Custom headers: their names, when they were set, and all of them as sealed JSON. */
export interface StoredHeaders {
  names: string[];
  set_at: number;
  sealed: string;
}

/** Where a webhook leads: masked for people, as a keyed fingerprint, and whole but sealed under its owner's data key. */
export interface StoredTarget {
  masked: string;
  fingerprint: string;
  sealed: string;
}

/** `paused` holds deliveries until the webhook is resumed; `disabled` skips them. */
export const WEBHOOK_STATUSES = ["active", "paused", "disabled"] as const;

/** Requests that an endpoint was sent within one second of the clock. */
export type PaceBucket = [second: number, requests: number];

/** The failure kind (`src/outbound/attempt-result.ts`) and status of an attempt, and whether a bot wall seems to have answered. */
export interface LastFailure {
  kind: string;
  status: number | null;
  bot_wall: boolean;
}

/** Endpoints that events are sent to. Soft-deleted by the portal and never removed: delivery ids name them. */
export const webhooks = sqliteTable(
  "webhooks",
  {
    id: text("id").primaryKey(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    environment: text("environment", { enum: ENVIRONMENTS }).notNull(),
    /** The host, as `sealed://{host}/`. Rows without `target` are from before and hold the whole address: the minute cron seals it. */
    url: text("url").notNull(),
    target: text("target", { mode: "json" }).$type<StoredTarget>(),
    /** Event types and patterns, as the catalogue knows them. */
    events: text("events", { mode: "json" }).$type<string[]>().notNull(),
    description: text("description"),
    status: text("status", { enum: WEBHOOK_STATUSES }).notNull(),
    disabled_reason: text("disabled_reason", { enum: ["requested", "gone", "failing"] }),
    notification_email: text("notification_email"),
    signature_format: text("signature_format", { enum: ["timestamped", "sha256"] }).notNull(),
    headers: text("headers", { mode: "json" }).$type<StoredHeaders>(),
    secrets: text("secrets", { mode: "json" }).$type<StoredWebhookSecret[]>().notNull(),
    /** Requests that may wait for this endpoint's answer at a time. */
    max_in_flight: integer("max_in_flight").notNull().default(4),
    /** Failed attempts since the last that succeeded, and when the first of them was. */
    consecutive_failures: integer("consecutive_failures").notNull().default(0),
    failing_since: integer("failing_since"),
    /** Exact to the minute: not every success is worth a row. */
    last_success_at: integer("last_success_at"),
    /** When it last answered too late to share a queue with others. */
    slow_at: integer("slow_at"),
    /** When it first answered in time. Null for an endpoint that is new and has a lane of its own. */
    proven_at: integer("proven_at"),
    /** The latest failed attempt; null after a success. */
    last_failure: text("last_failure", { mode: "json" }).$type<LastFailure>(),
    /** How far on its way to being disabled its owner has been notified: an index of `FAILURE_LEVELS`, counted from 1. */
    failure_level: integer("failure_level").notNull().default(0),
    /** When a mail about its failure was sent; null once its recovery is notified. */
    failure_mailed_at: integer("failure_mailed_at"),
    /** Since when it is paused. */
    paused_at: integer("paused_at"),
    /** Waiting events stored before this position of `events.seq` have been notified as about to expire. */
    expiry_notified_seq: integer("expiry_notified_seq").notNull().default(0),
    /** Requests started per minute; null for no limit. */
    max_per_minute: integer("max_per_minute"),
    /** The requests of the last minute, where `max_per_minute` limits them. */
    pace: text("pace", { mode: "json" }).$type<PaceBucket[]>(),
    /** Until when its pace lets it start no request. */
    paced_until: integer("paced_until").notNull().default(0),
    /** When people were last told by mail of deliveries that failed. */
    mailed_at: integer("mailed_at"),
    /** The invocation that works on this endpoint, and until when nobody else may. 0 when nobody does. */
    holder: text("holder"),
    held_until: integer("held_until").notNull().default(0),
    version: integer("version").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
    deleted_at: integer("deleted_at"),
  },
  (table) => [
    index("webhooks_listed")
      .on(table.owner_type, table.owner_id, table.created_at, table.id)
      .where(sql`deleted_at IS NULL`),
    index("webhooks_failing").on(table.failing_since).where(sql`failing_since IS NOT NULL`),
    // Erasing an owner takes its deleted webhooks along.
    index("webhooks_owner").on(table.owner_type, table.owner_id),
    index("webhooks_unsealed").on(table.id).where(sql`target IS NULL`),
  ],
);

/** What happened, to be told to webhooks. The hourly retention deletes rows after 90 days. */
export const events = sqliteTable(
  "events",
  {
    /**
     * The order in which events were stored, made of the time (see `EVENTS_PER_MS`): lists and retention are key ranges, and
     * who reads on from a position misses nothing.
     */
    seq: integer("seq").primaryKey(),
    id: text("id").notNull(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    environment: text("environment", { enum: ENVIRONMENTS }).notNull(),
    type: text("type").notNull(),
    /** As the envelope says it. */
    created_at: integer("created_at").notNull(),
    source: text("source").notNull(),
    /** Base64 of a fingerprint of type and data: tells a repeat from another event under the same id. */
    content_mac: text("content_mac").notNull(),
    /** Bytes of the data as JSON, before it was sealed. */
    size: integer("size").notNull(),
    /** Base64 of the sealed data. */
    data: text("data").notNull(),
  },
  (table) => [
    uniqueIndex("events_id").on(table.owner_type, table.owner_id, table.environment, table.id),
    // Every index of SQLite ends in the row's key, so this one is in the order of `seq`.
    index("events_listed").on(table.owner_type, table.owner_id, table.environment),
  ],
);

export const DELIVERY_STATUSES = ["pending", "retrying", "delivered", "failed", "skipped"] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** One attempt, as it is stored in its delivery's history. */
export interface StoredAttempt {
  /** Counted from 1, through all replays. */
  number: number;
  started_at: number;
  ms: number;
  /** `delivered`, or the failure kind: see `src/outbound/attempt-result.ts`. */
  kind: string;
  status: number | null;
  /** Base64 of the answer's sealed first kilobyte; null where there was none. */
  answer: string | null;
  /** Base64 of some of the answer's headers, sealed as JSON; absent where there was no answer. */
  headers?: string;
  /** Why TLS failed: see `src/outbound/attempt-result.ts`. Absent where it did not, or where the platform does not say. */
  tls_cause?: string;
}

/** One event on its way to one webhook. The hourly retention deletes rows 30 days after their last change. */
export const deliveries = sqliteTable(
  "deliveries",
  {
    webhook_id: text("webhook_id").notNull(),
    event_seq: integer("event_seq").notNull(),
    status: text("status", { enum: DELIVERY_STATUSES }).notNull(),
    /** How many attempts have been recorded. Recording one is a compare-and-set on this number. */
    attempts: integer("attempts").notNull(),
    /** `attempts` when the present round began: a replay begins a new one, with the whole schedule before it. */
    round_start: integer("round_start").notNull(),
    /** Null when nothing is left to do. */
    next_attempt_at: integer("next_attempt_at"),
    response_code: integer("response_code"),
    /** The kind of the last failure, or why nothing was sent. */
    last_error: text("last_error"),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
    /** The newest attempts, at most {@link KEPT_ATTEMPTS}. */
    history: text("history", { mode: "json" }).$type<StoredAttempt[]>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.webhook_id, table.event_seq] }),
    index("deliveries_due")
      .on(table.webhook_id, table.next_attempt_at)
      .where(sql`next_attempt_at IS NOT NULL`),
    index("deliveries_skipped").on(table.webhook_id, table.event_seq).where(sql`status = 'skipped'`),
  ],
);

/** Seven rounds of the whole schedule. */
export const KEPT_ATTEMPTS = 49;

export const NOTICE_KINDS = [
  "delivery_failed",
  "endpoint_failing",
  "endpoint_recovered",
  "events_expiring",
  "webhook_disabled",
] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** What people are to be told by mail. The minute cron deletes rows when the mail has gone, or after a week of trying. */
export const notices = sqliteTable(
  "notices",
  {
    id: integer("id").primaryKey(),
    webhook_id: text("webhook_id").notNull(),
    kind: text("kind", { enum: NOTICE_KINDS }).notNull(),
    /** The event that it is about; null where it is about the webhook as a whole. */
    event_seq: integer("event_seq"),
    /** Why, in a word. */
    reason: text("reason").notNull(),
    created_at: integer("created_at").notNull(),
    due_at: integer("due_at").notNull(),
    tries: integer("tries").notNull(),
  },
  (table) => [index("notices_due").on(table.due_at)],
);

/**
 * Replays of a time range, one of a webhook at a time. Worked off by the minute cron; `ended` before they were done by a person, or
 * with their webhook. Deleted by the hourly retention 30 days after their last change.
 */
export const replays = sqliteTable(
  "replays",
  {
    id: text("id").primaryKey(),
    webhook_id: text("webhook_id").notNull(),
    /** Which deliveries of events already sent are begun again; events that have none yet are always sent. */
    only: text("only", { enum: ["failed", "all"] }).notNull(),
    /** Events after `position` and up to `until` are still to be looked at; both are of the form of `events.seq`. */
    position: integer("position").notNull(),
    until: integer("until").notNull(),
    from_seq: integer("from_seq").notNull(),
    queued: integer("queued").notNull(),
    status: text("status", { enum: ["running", "done", "ended"] }).notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    index("replays_running").on(table.updated_at).where(sql`status = 'running'`),
    index("replays_webhook").on(table.webhook_id, table.id),
  ],
);
