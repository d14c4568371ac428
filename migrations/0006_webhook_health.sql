ALTER TABLE `webhooks` ADD `proven_at` integer;--> statement-breakpoint
ALTER TABLE `webhooks` ADD `last_failure` text;--> statement-breakpoint
ALTER TABLE `webhooks` ADD `failure_level` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `webhooks` ADD `failure_mailed_at` integer;--> statement-breakpoint
ALTER TABLE `webhooks` ADD `paused_at` integer;--> statement-breakpoint
ALTER TABLE `webhooks` ADD `expiry_notified_seq` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `webhooks` ADD `max_per_minute` integer;--> statement-breakpoint
ALTER TABLE `webhooks` ADD `pace` text;--> statement-breakpoint
ALTER TABLE `webhooks` ADD `paced_until` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `webhooks_failing` ON `webhooks` (`failing_since`) WHERE failing_since IS NOT NULL;--> statement-breakpoint
CREATE INDEX `deliveries_skipped` ON `deliveries` (`webhook_id`,`event_seq`) WHERE status = 'skipped';--> statement-breakpoint
-- An endpoint that took deliveries before needs no lane of its own.
UPDATE `webhooks` SET `proven_at` = `last_success_at` WHERE `last_success_at` IS NOT NULL;
