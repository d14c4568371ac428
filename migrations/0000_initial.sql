CREATE TABLE `api_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`token_sha256` text NOT NULL,
	`prefix` text NOT NULL,
	`owner_type` text NOT NULL,
	`owner_id` text NOT NULL,
	`environment` text NOT NULL,
	`plan` text NOT NULL,
	`is_active` integer NOT NULL,
	`data_key` text NOT NULL,
	`version` integer NOT NULL,
	`gate_version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_token` ON `api_keys` (`token_sha256`);--> statement-breakpoint
CREATE INDEX `api_keys_owner` ON `api_keys` (`owner_type`,`owner_id`,`id`);--> statement-breakpoint
CREATE INDEX `api_keys_gate_behind` ON `api_keys` (`id`) WHERE gate_version <> version;--> statement-breakpoint
CREATE TABLE `attention` (
	`file_id` text PRIMARY KEY NOT NULL,
	`reason` text NOT NULL,
	`response_status` integer,
	`attempts` integer NOT NULL,
	`next_attempt_at` integer,
	`first_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `attention_updated` ON `attention` (`updated_at`);--> statement-breakpoint
CREATE TABLE `connections` (
	`id` text PRIMARY KEY NOT NULL,
	`type` text NOT NULL,
	`owner_type` text NOT NULL,
	`owner_id` text NOT NULL,
	`status` text NOT NULL,
	`plan` text NOT NULL,
	`environment` text NOT NULL,
	`employer_id` text,
	`default_wait_seconds` integer DEFAULT 0 NOT NULL,
	`same_body` text DEFAULT 'accept' NOT NULL,
	`retention_years` integer DEFAULT 7 NOT NULL,
	`description` text,
	`secrets` text NOT NULL,
	`data_key` text NOT NULL,
	`version` integer NOT NULL,
	`gate_version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `connections_owner` ON `connections` (`owner_type`,`owner_id`,`id`);--> statement-breakpoint
CREATE INDEX `connections_gate_behind` ON `connections` (`id`) WHERE gate_version <> version;--> statement-breakpoint
CREATE TABLE `employer_grants` (
	`employer_id` text NOT NULL,
	`owner_type` text NOT NULL,
	`owner_id` text NOT NULL,
	PRIMARY KEY(`employer_id`, `owner_type`, `owner_id`)
);
--> statement-breakpoint
CREATE INDEX `employer_grants_owner` ON `employer_grants` (`owner_type`,`owner_id`,`employer_id`);--> statement-breakpoint
CREATE TABLE `employers` (
	`id` text PRIMARY KEY NOT NULL,
	`fein` text,
	`name` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `employers_fein` ON `employers` (`fein`);