import { applyD1Migrations, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, vi } from "vitest";
import { filesCreator } from "./gateway.ts";

// Files follow each other in one runtime. Each finds nothing stored, queued or due that another left behind.
beforeAll(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  await filesCreator.reset();
});

// A queue consumer at work keeps the runner from ending a file: let the last one finish.
afterAll(async () => {
  vi.useRealTimers();
  await scheduler.wait(300);
});
