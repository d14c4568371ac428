CREATE TABLE `employer_months` (
	`employer_id` text NOT NULL,
	`month` text NOT NULL,
	`scope` text NOT NULL,
	PRIMARY KEY(`employer_id`, `month`, `scope`)
);
--> statement-breakpoint
CREATE INDEX `employer_months_month` ON `employer_months` (`month`);--> statement-breakpoint
CREATE TABLE `usage` (
	`scope` text NOT NULL,
	`period` text NOT NULL,
	`at` integer NOT NULL,
	`environment` text NOT NULL,
	`owner` text,
	`counts` text NOT NULL,
	`version` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`scope`, `period`, `at`, `environment`)
);
--> statement-breakpoint
CREATE INDEX `usage_owner` ON `usage` (`owner`,`period`,`at`) WHERE owner IS NOT NULL;--> statement-breakpoint
CREATE TABLE `usage_changes` (
	`at` integer NOT NULL,
	`taken_by` text NOT NULL,
	`changed_at` integer NOT NULL,
	PRIMARY KEY(`at`, `taken_by`)
);
