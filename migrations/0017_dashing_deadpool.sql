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
CREATE INDEX `jobs_settled` ON `jobs` (`updated_at`) WHERE status <> 'running';