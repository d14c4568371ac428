CREATE TABLE `portal_links` (
	`id` text PRIMARY KEY NOT NULL,
	`token_sha256` text NOT NULL,
	`owner_type` text,
	`owner_id` text,
	`capability` text NOT NULL,
	`person` text,
	`next` text NOT NULL,
	`embedded` integer NOT NULL,
	`reusable` integer NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `portal_links_token` ON `portal_links` (`token_sha256`);--> statement-breakpoint
CREATE INDEX `portal_links_owner` ON `portal_links` (`owner_type`,`owner_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `portal_links_listed` ON `portal_links` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `portal_links_expired` ON `portal_links` (`expires_at`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`token_sha256` text NOT NULL,
	`kind` text NOT NULL,
	`owner_type` text,
	`owner_id` text,
	`capability` text NOT NULL,
	`person` text,
	`link_id` text,
	`embedded` integer NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_token` ON `sessions` (`token_sha256`);--> statement-breakpoint
CREATE INDEX `sessions_owner` ON `sessions` (`owner_type`,`owner_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `sessions_listed` ON `sessions` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `sessions_link` ON `sessions` (`link_id`) WHERE link_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `sessions_expired` ON `sessions` (`expires_at`);