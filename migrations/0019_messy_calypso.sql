ALTER TABLE `attention` ADD `owner_type` text;--> statement-breakpoint
ALTER TABLE `attention` ADD `owner_id` text;--> statement-breakpoint
ALTER TABLE `attention` ADD `environment` text;--> statement-breakpoint
ALTER TABLE `attention` ADD `employer_id` text;--> statement-breakpoint
ALTER TABLE `attention` ADD `seq` text;--> statement-breakpoint
CREATE INDEX `attention_first` ON `attention` (`first_at`,`file_id`);--> statement-breakpoint
CREATE INDEX `attention_reason` ON `attention` (`reason`,`first_at`,`file_id`);--> statement-breakpoint
CREATE INDEX `attention_owner` ON `attention` (`owner_type`,`owner_id`,`environment`,`seq`,`file_id`);--> statement-breakpoint
CREATE INDEX `attention_incomplete` ON `attention` (`file_id`) WHERE owner_id IS NULL;