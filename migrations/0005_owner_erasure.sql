ALTER TABLE `owner_keys` ADD `erase_at` integer;--> statement-breakpoint
CREATE INDEX `owner_keys_erase` ON `owner_keys` (`erase_at`) WHERE erase_at IS NOT NULL;