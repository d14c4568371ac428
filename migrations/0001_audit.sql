CREATE TABLE `audit` (
	`id` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`actor` text NOT NULL,
	`action` text NOT NULL,
	`subject_kind` text NOT NULL,
	`subject_id` text NOT NULL,
	`owner_type` text,
	`owner_id` text,
	`request_id` text NOT NULL,
	`before` text,
	`after` text
);
--> statement-breakpoint
CREATE INDEX `audit_subject` ON `audit` (`subject_kind`,`subject_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_owner` ON `audit` (`owner_type`,`owner_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_action` ON `audit` (`action`,`id`);--> statement-breakpoint
DROP INDEX `connections_owner`;--> statement-breakpoint
ALTER TABLE `connections` ADD `erase_at` integer;--> statement-breakpoint
CREATE INDEX `connections_listed` ON `connections` (`owner_type`,`owner_id`,`created_at`,`id`) WHERE deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX `connections_erase` ON `connections` (`erase_at`) WHERE erase_at IS NOT NULL AND data_key <> '';--> statement-breakpoint
ALTER TABLE `employers` ADD `version` integer DEFAULT 0 NOT NULL;