CREATE TABLE `deliveries` (
	`webhook_id` text NOT NULL,
	`event_seq` integer NOT NULL,
	`status` text NOT NULL,
	`attempts` integer NOT NULL,
	`round_start` integer NOT NULL,
	`next_attempt_at` integer,
	`response_code` integer,
	`last_error` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`history` text NOT NULL,
	PRIMARY KEY(`webhook_id`, `event_seq`)
);
--> statement-breakpoint
CREATE INDEX `deliveries_due` ON `deliveries` (`webhook_id`,`next_attempt_at`) WHERE next_attempt_at IS NOT NULL;--> statement-breakpoint
CREATE TABLE `events` (
	`seq` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`owner_type` text NOT NULL,
	`owner_id` text NOT NULL,
	`environment` text NOT NULL,
	`type` text NOT NULL,
	`created_at` integer NOT NULL,
	`source` text NOT NULL,
	`content_mac` text NOT NULL,
	`size` integer NOT NULL,
	`data` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `events_id` ON `events` (`owner_type`,`owner_id`,`environment`,`id`);--> statement-breakpoint
CREATE INDEX `events_listed` ON `events` (`owner_type`,`owner_id`,`environment`);--> statement-breakpoint
CREATE TABLE `notices` (
	`id` integer PRIMARY KEY NOT NULL,
	`webhook_id` text NOT NULL,
	`kind` text NOT NULL,
	`event_seq` integer,
	`reason` text NOT NULL,
	`created_at` integer NOT NULL,
	`due_at` integer NOT NULL,
	`tries` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `notices_due` ON `notices` (`due_at`);--> statement-breakpoint
CREATE TABLE `owner_keys` (
	`owner_type` text NOT NULL,
	`owner_id` text NOT NULL,
	`data_key` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`owner_type`, `owner_id`)
);
--> statement-breakpoint
CREATE TABLE `replays` (
	`id` text PRIMARY KEY NOT NULL,
	`webhook_id` text NOT NULL,
	`only` text NOT NULL,
	`position` integer NOT NULL,
	`until` integer NOT NULL,
	`from_seq` integer NOT NULL,
	`queued` integer NOT NULL,
	`status` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `replays_running` ON `replays` (`updated_at`) WHERE status = 'running';--> statement-breakpoint
CREATE INDEX `replays_webhook` ON `replays` (`webhook_id`,`id`);--> statement-breakpoint
CREATE TABLE `webhooks` (
	`id` text PRIMARY KEY NOT NULL,
	`owner_type` text NOT NULL,
	`owner_id` text NOT NULL,
	`environment` text NOT NULL,
	`url` text NOT NULL,
	`events` text NOT NULL,
	`description` text,
	`status` text NOT NULL,
	`disabled_reason` text,
	`notification_email` text,
	`signature_format` text NOT NULL,
	`headers` text,
	`secrets` text NOT NULL,
	`max_in_flight` integer DEFAULT 4 NOT NULL,
	`consecutive_failures` integer DEFAULT 0 NOT NULL,
	`failing_since` integer,
	`last_success_at` integer,
	`slow_at` integer,
	`holder` text,
	`held_until` integer DEFAULT 0 NOT NULL,
	`version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `webhooks_listed` ON `webhooks` (`owner_type`,`owner_id`,`created_at`,`id`) WHERE deleted_at IS NULL;