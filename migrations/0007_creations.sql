CREATE TABLE `creations` (
	`owner_type` text NOT NULL,
	`owner_id` text NOT NULL,
	`name` text NOT NULL,
	`object_id` text NOT NULL,
	`body_mac` text NOT NULL,
	`sealed_token` text,
	`secret_ended` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`owner_type`, `owner_id`, `name`)
);
--> statement-breakpoint
CREATE INDEX `creations_created` ON `creations` (`created_at`);