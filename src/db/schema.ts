/**
 * D1: configuration and what operators look at. No table here is written by an accepted report.
 *
 * Times are integer milliseconds since the epoch. No foreign key cascades: on D1 a rebuilt table would take
 * its children with it. Each table says who deletes from it.
 */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

export const OWNER_TYPES = ["user", "employer", "payroll_company", "software_company"] as const;
export type OwnerType = (typeof OWNER_TYPES)[number];

export const ENVIRONMENTS = ["sandbox", "production"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

export const PLANS = ["sandbox", "production", "enterprise"] as const;
export type PlanName = (typeof PLANS)[number];

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

/** Bearer keys of the developer API. Deactivated by the portal, never removed: file ids name them. */
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
    data_key: text("data_key").notNull(),
    version: integer("version").notNull(),
    gate_version: integer("gate_version").notNull(),
    created_at: integer("created_at").notNull(),
    updated_at: integer("updated_at").notNull(),
  },
  (table) => [
    uniqueIndex("api_keys_token").on(table.token_sha256),
    index("api_keys_owner").on(table.owner_type, table.owner_id, table.id),
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
export const SUBJECT_KINDS = ["connection", "api_key", "employer", "webhook", "file", "vault"] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** The audit trail: one row per change. Never updated; the minute cron deletes rows after seven years. */
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
  ],
);
