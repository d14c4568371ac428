import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll } from "vitest";
import { evidence } from "../../src/evidence/collector.ts";

// Requests of a test wait for what runs after their answer.
evidence.pauseMs = 10;

beforeAll(async () => {
  await applyD1Migrations(env.DB, env.MIGRATIONS);
});

// A line that an object, a consumer or the cron logs reaches the runner along with the next message of the tests themselves. After
// the last one it would never arrive, and the runner would wait for it without end. So lines that late are dropped.
afterAll(() => {
  const drop = () => undefined;
  Object.assign(globalThis, { console: Object.assign(Object.create(console), { log: drop, error: drop }) });
});
