ALTER TABLE `webhooks` ADD `target` text;--> statement-breakpoint
CREATE INDEX `webhooks_owner` ON `webhooks` (`owner_type`,`owner_id`);--> statement-breakpoint
CREATE INDEX `webhooks_unsealed` ON `webhooks` (`id`) WHERE target IS NULL;--> statement-breakpoint
CREATE INDEX `audit_unmasked` ON `audit` (`id`) WHERE subject_kind = 'webhook' AND coalesce(json_extract(before, '$.url'), json_extract(after, '$.url')) IS NOT NULL;