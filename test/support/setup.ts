import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll } from "vitest";

beforeAll(async () => {
  await applyD1Migrations(env.DB, env.MIGRATIONS);
});

// A queue consumer that starts during teardown keeps the runner from ending. Wait for the last one.
afterAll(async () => {
  await scheduler.wait(300);
});
