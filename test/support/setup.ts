import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll } from "vitest";

beforeAll(async () => {
  await applyD1Migrations(env.DB, env.MIGRATIONS);
});

// A queue consumer that starts while the runner is being torn down keeps it from ending: let the last one finish.
afterAll(async () => {
  await scheduler.wait(300);
});
