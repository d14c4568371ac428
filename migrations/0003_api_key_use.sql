DROP INDEX `api_keys_owner`;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `last_used_at` integer;--> statement-breakpoint
CREATE INDEX `api_keys_listed` ON `api_keys` (`owner_type`,`owner_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `api_keys_active` ON `api_keys` (`owner_type`,`owner_id`,`created_at`,`id`) WHERE is_active = 1;