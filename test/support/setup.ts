import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll } from "vitest";
import { evidence } from "../../src/evidence/collector.ts";

// Requests of a test wait for what runs after their answer.
evidence.pauseMs = 10;

beforeAll(async () => {
  await applyD1Migrations(env.DB, env.MIGRATIONS);
});

// A queue consumer that starts during teardown keeps the runner from ending. Wait for the last one.
afterAll(async () => {
  await scheduler.wait(300);
});
