ALTER TABLE `events` ADD `employer_id` text;--> statement-breakpoint
ALTER TABLE `events` ADD `period_start` text;--> statement-breakpoint
ALTER TABLE `events` ADD `period_end` text;--> statement-breakpoint
CREATE INDEX `events_audits` ON `events` (`owner_type`,`owner_id`,`environment`,`employer_id`,`period_start`,`period_end`) WHERE type = 'audit.completed';