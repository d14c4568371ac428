ALTER TABLE `api_keys` ADD `erase_at` integer;--> statement-breakpoint
CREATE INDEX `api_keys_erase` ON `api_keys` (`erase_at`) WHERE erase_at IS NOT NULL AND data_key <> '';