CREATE TABLE `employer_months` (
	`employer_id` text NOT NULL,
	`month` text NOT NULL,
	`scope` text NOT NULL,
	PRIMARY KEY(`employer_id`, `month`, `scope`)
);
--> statement-breakpoint
CREATE INDEX `employer_months_month` ON `employer_months` (`month`);--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`owner_type` text NOT NULL,
	`owner_id` text NOT NULL,
	`gate` text,
	`filters` text NOT NULL,
	`position` text NOT NULL,
	`matched` integer NOT NULL,
	`matched_more` integer NOT NULL,
	`found` integer NOT NULL,
	`done` integer NOT NULL,
	`status` text NOT NULL,
	`reason` text,
	`actor` text NOT NULL,
	`request_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `jobs_running` ON `jobs` (`updated_at`) WHERE status = 'running';--> statement-breakpoint
CREATE INDEX `jobs_listed` ON `jobs` (`owner_type`,`owner_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_settled` ON `jobs` (`updated_at`) WHERE status <> 'running';--> statement-breakpoint
CREATE TABLE `usage` (
	`scope` text NOT NULL,
	`period` text NOT NULL,
	`at` integer NOT NULL,
	`environment` text NOT NULL,
	`owner` text,
	`counts` text NOT NULL,
	`version` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`scope`, `period`, `at`, `environment`)
);
--> statement-breakpoint
CREATE INDEX `usage_owner` ON `usage` (`owner`,`period`,`at`) WHERE owner IS NOT NULL;--> statement-breakpoint
CREATE INDEX `usage_owners_scopes` ON `usage` (`owner`,`scope`) WHERE owner IS NOT NULL AND period = 'day';--> statement-breakpoint
CREATE TABLE `usage_changes` (
	`at` integer NOT NULL,
	`taken_by` text NOT NULL,
	`changed_at` integer NOT NULL,
	`taken_at` integer,
	PRIMARY KEY(`at`, `taken_by`)
);
--> statement-breakpoint
ALTER TABLE `attention` ADD `owner_type` text;--> statement-breakpoint
ALTER TABLE `attention` ADD `owner_id` text;--> statement-breakpoint
ALTER TABLE `attention` ADD `environment` text;--> statement-breakpoint
ALTER TABLE `attention` ADD `employer_id` text;--> statement-breakpoint
ALTER TABLE `attention` ADD `seq` text;--> statement-breakpoint
CREATE INDEX `attention_first` ON `attention` (`first_at`,`file_id`);--> statement-breakpoint
CREATE INDEX `attention_reason` ON `attention` (`reason`,`first_at`,`file_id`);--> statement-breakpoint
CREATE INDEX `attention_owner` ON `attention` (`owner_type`,`owner_id`,`environment`,`seq`,`file_id`);--> statement-breakpoint
CREATE INDEX `attention_incomplete` ON `attention` (`file_id`) WHERE owner_id IS NULL;--> statement-breakpoint
CREATE INDEX `attention_waiting` ON `attention` (`first_at`) WHERE reason IN ('deferred', 'consumer_died', 'ring_key_missing', 'not_configured');--> statement-breakpoint
ALTER TABLE `connections` ADD `notification_email` text;--> statement-breakpoint
ALTER TABLE `connections` ADD `ended_secrets` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `events` ADD `employer_id` text;--> statement-breakpoint
ALTER TABLE `events` ADD `period_start` text;--> statement-breakpoint
ALTER TABLE `events` ADD `period_end` text;--> statement-breakpoint
CREATE INDEX `events_audits` ON `events` (`owner_type`,`owner_id`,`environment`,`employer_id`,`period_start`,`period_end`) WHERE type = 'audit.completed';--> statement-breakpoint
CREATE INDEX `audit_request` ON `audit` (`request_id`) WHERE request_id <> '';--> statement-breakpoint
CREATE INDEX `deliveries_failed` ON `deliveries` (`webhook_id`,`event_seq`) WHERE status = 'failed';--> statement-breakpoint
CREATE INDEX `webhooks_given_up` ON `webhooks` (`id`) WHERE status = 'disabled' AND disabled_reason IN ('gone', 'failing') AND deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX `webhooks_merged` ON `webhooks` (`owner_type`,`owner_id`,`environment`,`deleted_at`,`id`);