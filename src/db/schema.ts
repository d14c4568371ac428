/**
 * The D1 schema: configuration, outbound events and deliveries, the audit trail, and lists for operators. Accepting a report writes to
 * none of these tables.
 *
 * Times are integer milliseconds since the epoch. No foreign key cascades: when a migration rebuilds a table on D1, a cascade would
 * delete its children. The comment of each table says what deletes its rows.
 */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { CAPABILITIES, ENVIRONMENTS, OWNER_TYPES, PLANS } from "../model.ts";

/** The fields of an object in an audit row. */
export type AuditedFields = Readonly<Record<string, unknown>>;

/** A secret of a connection, sealed with the connection's data key. A rotation sets `expires_at`. */
export interface StoredSecret {
  id: string;
  sealed: string;
  created_at: number;
  expires_at: number | null;
}

/** A secret of a connection that has ended. It verifies nothing; a diagnosis recognizes a sender that still uses it. */
export interface EndedSecret extends Omit<StoredSecret, "expires_at"> {
  ended_at: number;
}

/**
 * Inbound connections.
 *
 * Deletion: never, because file ids refer to rows. The portal soft-deletes them. The minute cron empties `data_key`, `secrets` and
 * `ended_secrets` after `erase_at`, and deletes an ended secret within a day after its 30 days.
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
    /** For mails about alerts of this connection. Null for the operators' address; an erasure clears it. */
    notification_email: text("notification_email"),
    /** The newest first. One that has expired moves to `ended_secrets` with the next rotation, at the latest within a day. */
    secrets: text("secrets", { mode: "json" }).$type<StoredSecret[]>().notNull(),
    /** The last three that have ended, for 30 days. The inbound webhook never reads them to verify. */
    ended_secrets: text("ended_secrets", { mode: "json" }).$type<EndedSecret[]>().notNull().default([]),
    data_key: text("data_key").notNull(),
    /** Grows with every change. The gate refuses callers with an older version. */
    version: integer("version").notNull(),
    /** The version that was last propagated to the gate. If it differs from `version`, the minute cron propagates the row. */
    gate_version: integer("gate_version").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
    deleted_at: integer("deleted_at"),
    /** When the data key is deleted, which erases everything sealed with it. Set only on a deleted connection. */
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
 * Bearer keys of the developer API.
 *
 * Deletion: never, because file ids refer to rows. The portal deactivates them. The minute cron empties `data_key` after `erase_at`.
 */
export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text("id").primaryKey(),
    /** Hex SHA-256 of the whole bearer token, whose random part has 190 bits and so needs no salt. */
    token_sha256: text("token_sha256").notNull(),
    /** The first characters of the token, so that people recognize a key. */
    prefix: text("prefix").notNull(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    environment: text("environment", { enum: ENVIRONMENTS }).notNull(),
    plan: text("plan", { enum: PLANS }).notNull(),
    is_active: integer("is_active", { mode: "boolean" }).notNull(),
    /** Exact to the hour. Null for an unused key. */
    last_used_at: integer("last_used_at"),
    data_key: text("data_key").notNull(),
    version: integer("version").notNull(),
    gate_version: integer("gate_version").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
    /** When the data key is deleted, which erases all reports sent with this key. Set only on a deactivated key. */
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

/** Employers whose payroll may be reported. Written by the portal. Deletion: never. */
export const employers = sqliteTable(
  "employers",
  {
    id: text("id").primaryKey(),
    /** Nine digits, no dash. */
    fein: text("fein"),
    name: text("name").notNull(),
    /** Grows with every change of the employer or of its grants. */
    version: integer("version").notNull().default(0),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [uniqueIndex("employers_fein").on(table.fein)],
);

/** Which owners may report for which employers. Deletion: the portal replaces all grants of an employer at once. */
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

/** Selects files that still wait, of those in `attention`. The condition of an index, which SQLite uses for queries that repeat it. */
export const IS_WAITING = "reason IN ('deferred', 'consumer_died', 'ring_key_missing', 'not_configured')";

/**
 * Files that were deferred or that failed, for operators and for their owners. Written by the forwarding consumer.
 *
 * Deletion: by the consumer when the file succeeds, and by the minute cron when it finds the file settled or purged.
 */
export const attention = sqliteTable(
  "attention",
  {
    file_id: text("file_id").primaryKey(),
    reason: text("reason").notNull(),
    /** The HTTP status of the files-creator. Null if there was no response. */
    response_status: integer("response_status"),
    attempts: integer("attempts").notNull(),
    next_attempt_at: integer("next_attempt_at"),
    first_at: integer("first_at").notNull(),
    updated_at: integer("updated_at").notNull(),
    /** Of the connection or key; empty if none has the id. Null in a row of earlier code until the minute cron completes it. */
    owner_type: text("owner_type"),
    owner_id: text("owner_id"),
    /** Of the file. Null as the owner is. */
    environment: text("environment"),
    employer_id: text("employer_id"),
    /** The part of `file_id` that sorts by time. Null as the owner is. */
    seq: text("seq"),
  },
  (table) => [
    index("attention_updated").on(table.updated_at),
    index("attention_first").on(table.first_at, table.file_id),
    index("attention_reason").on(table.reason, table.first_at, table.file_id),
    index("attention_owner").on(
      table.owner_type,
      table.owner_id,
      table.environment,
      table.seq,
      table.file_id,
    ),
    index("attention_incomplete").on(table.file_id).where(sql`owner_id IS NULL`),
    // For the watch: the file that has waited longest.
    index("attention_waiting").on(table.first_at).where(sql.raw(IS_WAITING)),
  ],
);

/** The kinds of object in the audit trail. */
export const SUBJECT_KINDS = [
  "connection",
  "api_key",
  "employer",
  "webhook",
  "file",
  "vault",
  "owner",
  "alert",
  "job",
  "portal_link",
  "session",
] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** Selects old rows that contain a webhook's whole URL. The condition of an index, which SQLite uses for queries that repeat it. */
export const SHOWS_ADDRESS =
  "subject_kind = 'webhook' AND coalesce(json_extract(before, '$.url'), json_extract(after, '$.url')) IS NOT NULL";

/**
 * The audit trail: one row per change. Rows never change, except that the minute cron masks URLs in old rows.
 *
 * Deletion: by the minute cron after seven years.
 */
export const audit = sqliteTable(
  "audit",
  {
    /** Sorts by time, and for one object in the order of its changes. */
    id: text("id").primaryKey(),
    at: integer("at").notNull(),
    /**
     * `client:{id}` for a portal client, `access:{e-mail address}` for a person of Audit1, `system:{part}` for the gateway itself. For an
     * owner's session `person:{name}`, or `link:{id of the link}` if the link names nobody.
     */
    actor: text("actor").notNull(),
    /** `{subject kind}.{action}`, such as `connection.updated`. */
    action: text("action").notNull(),
    subject_kind: text("subject_kind", { enum: SUBJECT_KINDS }).notNull(),
    subject_id: text("subject_id").notNull(),
    /** Both null for an object without an owner. */
    owner_type: text("owner_type", { enum: OWNER_TYPES }),
    owner_id: text("owner_id"),
    /** Empty for a change that the gateway made itself. */
    request_id: text("request_id").notNull(),
    /** The changed fields. Null if the object did not exist before. Never contains a secret or a sealed value. */
    before: text("before", { mode: "json" }).$type<AuditedFields>(),
    /** The same fields afterwards. Null if the object no longer exists. */
    after: text("after", { mode: "json" }).$type<AuditedFields>(),
  },
  (table) => [
    index("audit_subject").on(table.subject_kind, table.subject_id, table.id),
    index("audit_owner").on(table.owner_type, table.owner_id, table.id),
    index("audit_action").on(table.action, table.id),
    // Finds the changes of one request. Changes that the gateway made itself are left out.
    index("audit_request").on(table.request_id).where(sql`request_id <> ''`),
    index("audit_unmasked").on(table.id).where(sql.raw(SHOWS_ADDRESS)),
  ],
);

/**
 * One random data key per owner. It seals all outbound data of the owner: the URLs, secrets and headers of its webhooks, the data of
 * its events, and the responses to its deliveries. Created with the owner's first webhook or event.
 *
 * Deletion: by the minute cron after `erase_at`, which erases the owner. If the owner becomes active again, it gets a new key.
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
 * The objects that requests with an `Idempotency-Key` created in the last 24 hours, so that a repeat returns the same object. A row is
 * written in the batch that creates its object, and changed in the batch that ends the object's secret.
 *
 * Deletion: by the minute cron after 24 hours, and when the owner is erased.
 */
export const creations = sqliteTable(
  "creations",
  {
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    /** Hex SHA-256 of the client, the route and the key. */
    name: text("name").notNull(),
    object_id: text("object_id").notNull(),
    /** Base64 of the body's fingerprint with the object's data key. Distinguishes a repeat from another request with the same key. */
    body_mac: text("body_mac").notNull(),
    /**
     * Base64 of the token of an API key or a portal link, sealed with the object's data key. Null for objects that store their secrets
     * themselves.
     */
    sealed_token: text("sealed_token"),
    /** Whether the secret was rotated, deactivated or deleted. If so, no repeat returns it. */
    secret_ended: integer("secret_ended", { mode: "boolean" }).notNull(),
    created_at: integer("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.owner_type, table.owner_id, table.name] }),
    index("creations_created").on(table.created_at),
  ],
);

/** A secret of a webhook, sealed with its owner's data key. */
export interface StoredWebhookSecret extends StoredSecret {
  /** Whether its signature may come first. A new secret comes second until it is activated or the old one has expired. */
  activated: boolean;
}

/** Custom headers: their names, when they were set, and the headers as sealed JSON. */
export interface StoredHeaders {
  names: string[];
  set_at: number;
  sealed: string;
}

/** A webhook's URL: masked for people, as a keyed fingerprint, and sealed with its owner's data key. */
export interface StoredTarget {
  masked: string;
  fingerprint: string;
  sealed: string;
}

/** `paused` holds deliveries until the webhook is resumed; `disabled` skips them. */
export const WEBHOOK_STATUSES = ["active", "paused", "disabled"] as const;

/** The number of requests to an endpoint within one second. */
export type PaceBucket = [second: number, requests: number];

/** The failure kind (`src/outbound/attempt-result.ts`) and status of an attempt, and whether a bot wall seems to have answered. */
export interface LastFailure {
  kind: string;
  status: number | null;
  bot_wall: boolean;
}

/** Selects webhooks that the gateway disabled, and that nobody has enabled or deleted since. The condition of an index. */
export const IS_GIVEN_UP =
  "status = 'disabled' AND disabled_reason IN ('gone', 'failing') AND deleted_at IS NULL";

/**
 * Endpoints that events are sent to.
 *
 * Deletion: never, because delivery ids refer to rows. The portal and the erasure of an owner soft-delete them.
 */
export const webhooks = sqliteTable(
  "webhooks",
  {
    id: text("id").primaryKey(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    environment: text("environment", { enum: ENVIRONMENTS }).notNull(),
    /** The host, as `sealed://{host}/`. An old row without `target` holds the whole URL, which the minute cron seals. */
    url: text("url").notNull(),
    target: text("target", { mode: "json" }).$type<StoredTarget>(),
    /** Event types and patterns from the catalogue. */
    events: text("events", { mode: "json" }).$type<string[]>().notNull(),
    description: text("description"),
    status: text("status", { enum: WEBHOOK_STATUSES }).notNull(),
    disabled_reason: text("disabled_reason", { enum: ["requested", "gone", "failing"] }),
    notification_email: text("notification_email"),
    signature_format: text("signature_format", { enum: ["timestamped", "sha256"] }).notNull(),
    headers: text("headers", { mode: "json" }).$type<StoredHeaders>(),
    secrets: text("secrets", { mode: "json" }).$type<StoredWebhookSecret[]>().notNull(),
    /** How many requests may wait for this endpoint's response at a time. */
    max_in_flight: integer("max_in_flight").notNull().default(4),
    /** The number of failed attempts since the last success, and in `failing_since` the time of the first one. */
    consecutive_failures: integer("consecutive_failures").notNull().default(0),
    failing_since: integer("failing_since"),
    /** Exact to the minute, because not every success is worth a write. */
    last_success_at: integer("last_success_at"),
    /** When it last responded too slowly to share a queue with others. */
    slow_at: integer("slow_at"),
    /** When it first responded in time. Null for a new endpoint, which is in the lane `new`. */
    proven_at: integer("proven_at"),
    /** The latest failed attempt; null after a success. */
    last_failure: text("last_failure", { mode: "json" }).$type<LastFailure>(),
    /** The failure level that the owner was last notified of: an index of `FAILURE_LEVELS`, counted from 1. */
    failure_level: integer("failure_level").notNull().default(0),
    /** When a mail about its failure was sent. Null once the owner is notified of its recovery. */
    failure_mailed_at: integer("failure_mailed_at"),
    /** When it was paused. */
    paused_at: integer("paused_at"),
    /** The owner has been notified that waiting events with an `events.seq` below this are about to expire. */
    expiry_notified_seq: integer("expiry_notified_seq").notNull().default(0),
    /** The most requests per minute. Null for no limit. */
    max_per_minute: integer("max_per_minute"),
    /** The requests of the last minute, if `max_per_minute` is set. */
    pace: text("pace", { mode: "json" }).$type<PaceBucket[]>(),
    /** Until when `max_per_minute` forbids further requests. */
    paced_until: integer("paced_until").notNull().default(0),
    /** When a mail about failed deliveries was last sent. */
    mailed_at: integer("mailed_at"),
    /** The invocation that has leased this endpoint, and in `held_until` when the lease expires; 0 for no lease. */
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
    // For the watch: webhooks that the gateway disabled.
    index("webhooks_given_up").on(table.id).where(sql.raw(IS_GIVEN_UP)),
    // For the erasure of an owner, which includes its deleted webhooks.
    index("webhooks_owner").on(table.owner_type, table.owner_id),
    // For the list of an owner's deliveries: its webhooks in an environment, and those that were deleted lately.
    index("webhooks_merged").on(
      table.owner_type,
      table.owner_id,
      table.environment,
      table.deleted_at,
      table.id,
    ),
    index("webhooks_unsealed").on(table.id).where(sql`target IS NULL`),
  ],
);

/** Events to be sent to webhooks. Deletion: by the minute cron after 90 days, and when the owner is erased. */
export const events = sqliteTable(
  "events",
  {
    /**
     * The order in which events were stored, derived from the time (see `EVENTS_PER_MS`). So lists and retention are key ranges, and a
     * reader who continues from a position misses nothing.
     */
    seq: integer("seq").primaryKey(),
    id: text("id").notNull(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    environment: text("environment", { enum: ENVIRONMENTS }).notNull(),
    type: text("type").notNull(),
    /** The time in the envelope. */
    created_at: integer("created_at").notNull(),
    source: text("source").notNull(),
    /** Base64 of a fingerprint of type and data. Distinguishes a repeat from another event with the same id. */
    content_mac: text("content_mac").notNull(),
    /** Size of the data as JSON before sealing, in bytes. */
    size: integer("size").notNull(),
    /** Base64 of the sealed data. */
    data: text("data").notNull(),
    /** Of `audit.completed`, in clear for the automation metric: the audited employer. Null if the data has no usable id. */
    employer_id: text("employer_id"),
    /** The policy period's first and last day, `YYYY-MM-DD`. */
    period_start: text("period_start"),
    period_end: text("period_end"),
  },
  (table) => [
    uniqueIndex("events_id").on(table.owner_type, table.owner_id, table.environment, table.id),
    // Every SQLite index ends with the primary key, so this one is in the order of `seq`.
    index("events_listed").on(table.owner_type, table.owner_id, table.environment),
    // Covers the automation metric: in the table, the columns behind the sealed data are slow to reach.
    index("events_audits")
      .on(
        table.owner_type,
        table.owner_id,
        table.environment,
        table.employer_id,
        table.period_start,
        table.period_end,
      )
      .where(sql`type = 'audit.completed'`),
  ],
);

export const DELIVERY_STATUSES = ["pending", "retrying", "delivered", "failed", "skipped"] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** One attempt, as it is stored in its delivery's history. */
export interface StoredAttempt {
  /** Counted from 1, across all replays. */
  number: number;
  started_at: number;
  ms: number;
  /** `delivered`, or the failure kind: see `src/outbound/attempt-result.ts`. */
  kind: string;
  status: number | null;
  /** Base64 of the sealed first kilobyte of the response. Null if there was no response. */
  answer: string | null;
  /** Base64 of some response headers, sealed as JSON. Absent if there was no response. */
  headers?: string;
  /** Why TLS failed: see `src/outbound/attempt-result.ts`. Absent if it did not, or if the platform does not say. */
  tls_cause?: string;
}

/** One event for one webhook. Deletion: by the minute cron, 30 days after the last change. */
export const deliveries = sqliteTable(
  "deliveries",
  {
    webhook_id: text("webhook_id").notNull(),
    event_seq: integer("event_seq").notNull(),
    status: text("status", { enum: DELIVERY_STATUSES }).notNull(),
    /** The number of recorded attempts. Recording one is a compare-and-set on this number. */
    attempts: integer("attempts").notNull(),
    /** The value of `attempts` when the current round began. A replay begins a new round with the whole retry schedule. */
    round_start: integer("round_start").notNull(),
    /** Null for a settled delivery. */
    next_attempt_at: integer("next_attempt_at"),
    response_code: integer("response_code"),
    /** The kind of the last failure, or the reason why nothing was sent. */
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
    // A delivery that is not failed, as nearly all, writes no row of this index.
    index("deliveries_failed").on(table.webhook_id, table.event_seq).where(sql`status = 'failed'`),
  ],
);

/** Seven rounds of the whole retry schedule. */
export const KEPT_ATTEMPTS = 49;

export const NOTICE_KINDS = [
  "delivery_failed",
  "endpoint_failing",
  "endpoint_recovered",
  "events_expiring",
  "webhook_disabled",
] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** Mails to be sent. Deletion: by the minute cron once the mail is sent, or after a week of retries. */
export const notices = sqliteTable(
  "notices",
  {
    id: integer("id").primaryKey(),
    webhook_id: text("webhook_id").notNull(),
    kind: text("kind", { enum: NOTICE_KINDS }).notNull(),
    /** The event that the notice concerns. Null if it concerns the whole webhook. */
    event_seq: integer("event_seq"),
    /** The reason, in one word. */
    reason: text("reason").notNull(),
    created_at: integer("created_at").notNull(),
    due_at: integer("due_at").notNull(),
    tries: integer("tries").notNull(),
  },
  (table) => [index("notices_due").on(table.due_at)],
);

/**
 * Replays of a time range, at most one running per webhook. The minute cron works on them. `ended`: stopped early by a person, or
 * because the webhook was disabled or deleted.
 *
 * Deletion: by the minute cron, 30 days after the last change.
 */
export const replays = sqliteTable(
  "replays",
  {
    id: text("id").primaryKey(),
    webhook_id: text("webhook_id").notNull(),
    /** Which existing deliveries are begun again. Events without a delivery are always sent. */
    only: text("only", { enum: ["failed", "all"] }).notNull(),
    /** Events after `position` and up to `until` are still to be examined. Both are values of `events.seq`. */
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

export const JOB_KINDS = ["deliveries.retry", "files.replay"] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export const JOB_STATUSES = ["running", "done", "cancelled", "failed"] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/**
 * Bulk retries of deliveries and bulk replays of files. The request that begins a job starts it, and the minute cron continues it.
 *
 * Deletion: by the minute cron, 30 days after the last change. A running job is kept.
 */
export const jobs = sqliteTable(
  "jobs",
  {
    id: text("id").primaryKey(),
    kind: text("kind", { enum: JOB_KINDS }).notNull(),
    owner_type: text("owner_type", { enum: OWNER_TYPES }).notNull(),
    owner_id: text("owner_id").notNull(),
    /** The name of the gate whose files are replayed. Null for all gates of the owner, and for deliveries. */
    gate: text("gate"),
    /** The filters of the request. Ids, types and times: never a secret. */
    filters: text("filters", { mode: "json" }).$type<AuditedFields>().notNull(),
    /** How far the job has come, as JSON. A step is a compare-and-set on this text. */
    position: text("position").notNull(),
    /** Counted when the job began. With `matched_more`, there were more. */
    matched: integer("matched").notNull(),
    matched_more: integer("matched_more", { mode: "boolean" }).notNull(),
    /** The number found so far, and the number of these that were queued. The others were skipped. */
    found: integer("found").notNull(),
    done: integer("done").notNull(),
    status: text("status", { enum: JOB_STATUSES }).notNull(),
    /** Why it failed, in one word. */
    reason: text("reason"),
    /** The principal and the request that began it, for the audit rows of its steps. */
    actor: text("actor").notNull(),
    request_id: text("request_id").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    index("jobs_running").on(table.updated_at).where(sql`status = 'running'`),
    index("jobs_listed").on(table.owner_type, table.owner_id, table.created_at, table.id),
    index("jobs_settled").on(table.updated_at).where(sql`status <> 'running'`),
  ],
);

/** `staff`: of a person of Audit1, who acts for everybody. `owner`: of an owner's person. */
export const SESSION_KINDS = ["staff", "owner"] as const;

/**
 * Links that let a person into the console. Each makes one session, unless it is `reusable`.
 *
 * Deletion: by the minute cron 30 days after `expires_at`, and when the owner is erased.
 */
export const portalLinks = sqliteTable(
  "portal_links",
  {
    /** `plk_` and 24 hex digits. */
    id: text("id").primaryKey(),
    /** Hex SHA-256 of the token, which has 256 random bits and so needs no salt. */
    token_sha256: text("token_sha256").notNull(),
    /** Both null for a link for staff, which only a gateway for local development makes. */
    owner_type: text("owner_type", { enum: OWNER_TYPES }),
    owner_id: text("owner_id"),
    capability: text("capability", { enum: CAPABILITIES }).notNull(),
    /** Whom the link is for, as the portal calls them: a name or an e-mail address. */
    person: text("person"),
    /** The path in the console that it leads to. */
    next: text("next").notNull(),
    /** Whether the session's cookie works inside a page of another site. */
    embedded: integer("embedded", { mode: "boolean" }).notNull(),
    /** Only on a gateway for local development. */
    reusable: integer("reusable", { mode: "boolean" }).notNull(),
    created_at: integer("created_at").notNull(),
    expires_at: integer("expires_at").notNull(),
    /** When it last made a session. */
    used_at: integer("used_at"),
    revoked_at: integer("revoked_at"),
  },
  (table) => [
    uniqueIndex("portal_links_token").on(table.token_sha256),
    index("portal_links_owner").on(table.owner_type, table.owner_id, table.created_at, table.id),
    index("portal_links_listed").on(table.created_at, table.id),
    index("portal_links_expired").on(table.expires_at),
  ],
);

/**
 * Sessions of people in the console. The cookie holds the token.
 *
 * Deletion: by the minute cron 30 days after `expires_at`, and when the owner is erased.
 */
export const sessions = sqliteTable(
  "sessions",
  {
    /** `ses_` and 24 hex digits. */
    id: text("id").primaryKey(),
    /** Hex SHA-256 of the token, which has 256 random bits and so needs no salt. */
    token_sha256: text("token_sha256").notNull(),
    kind: text("kind", { enum: SESSION_KINDS }).notNull(),
    /** Both null for staff. */
    owner_type: text("owner_type", { enum: OWNER_TYPES }),
    owner_id: text("owner_id"),
    capability: text("capability", { enum: CAPABILITIES }).notNull(),
    /** Staff: the e-mail address. Otherwise, as in the link. */
    person: text("person"),
    /** The link that made it. Null for a person who signed in through Access. */
    link_id: text("link_id"),
    /** As in the link. */
    embedded: integer("embedded", { mode: "boolean" }).notNull(),
    created_at: integer("created_at").notNull(),
    expires_at: integer("expires_at").notNull(),
    revoked_at: integer("revoked_at"),
  },
  (table) => [
    uniqueIndex("sessions_token").on(table.token_sha256),
    index("sessions_owner").on(table.owner_type, table.owner_id, table.created_at, table.id),
    index("sessions_listed").on(table.created_at, table.id),
    index("sessions_link").on(table.link_id).where(sql`link_id IS NOT NULL`),
    index("sessions_expired").on(table.expires_at),
  ],
);

export const USAGE_PERIODS = ["hour", "day"] as const;
export type UsagePeriod = (typeof USAGE_PERIODS)[number];

/**
 * Counts of an hour or of a UTC day: of a connection, key, webhook or request log, of an owner, and of everything. Each gate writes its
 * own hours, and the batches that record attempts write those of webhooks. The minute cron computes the rest from them.
 *
 * Deletion: by the minute cron, hours after 90 days and days after seven years. An erasure keeps them, since they are only numbers.
 */
export const usage = sqliteTable(
  "usage",
  {
    /** `connection:{id}`, `key:{id}`, `webhook:{id}`, `events:{owner}`, `unknown:{n}` of a request log, `owner:{type}:{id}`, or `all`. */
    scope: text("scope").notNull(),
    period: text("period", { enum: USAGE_PERIODS }).notNull(),
    /** The beginning of the period. */
    at: integer("at").notNull(),
    /** Empty in the rows of request logs and in their sums. Not null, because null never conflicts with null. */
    environment: text("environment", { enum: [...ENVIRONMENTS, ""] }).notNull(),
    /** `{type}:{id}`. Null in the rows of owners, of everything, and of request logs, which the index leaves out. */
    owner: text("owner"),
    /** By measure: see `src/usage/counts.ts`. */
    counts: text("counts", { mode: "json" }).$type<Record<string, number>>().notNull(),
    /** Grows with every change. A computed row has the sum of the versions that it was computed from. */
    version: integer("version").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.period, table.at, table.environment] }),
    index("usage_owner").on(table.owner, table.period, table.at).where(sql`owner IS NOT NULL`),
    // Finds each scope of an owner by one seek.
    index("usage_owners_scopes")
      .on(table.owner, table.scope)
      .where(sql`owner IS NOT NULL AND period = 'day'`),
  ],
);

/**
 * Hours whose changed counts are not yet in the counts of days, owners and everything.
 *
 * Deletion: by the minute cron once they are.
 */
export const usageChanges = sqliteTable(
  "usage_changes",
  {
    /** The beginning of the hour. */
    at: integer("at").notNull(),
    /** The run of the cron that works on it; empty if none does. Changes during a run leave a row of their own. */
    taken_by: text("taken_by").notNull(),
    /** When the first of these changes was made. */
    changed_at: integer("changed_at").notNull(),
    /** When the run took it. Null if none has. */
    taken_at: integer("taken_at"),
  },
  (table) => [primaryKey({ columns: [table.at, table.taken_by] })],
);

/**
 * The months in which a connection or key received reports for an employer. Written by gates.
 *
 * Deletion: by the minute cron after seven years.
 */
export const employerMonths = sqliteTable(
  "employer_months",
  {
    employer_id: text("employer_id").notNull(),
    /** `yyyy-mm`, UTC. */
    month: text("month").notNull(),
    /** `connection:{id}` or `key:{id}`. */
    scope: text("scope").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.employer_id, table.month, table.scope] }),
    index("employer_months_month").on(table.month),
  ],
);
