/** Drives the watch: its minute, its clock, and what it answers. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { vi } from "vitest";
import type { Bindings } from "../../src/bindings.ts";
import { WATCH_NAME } from "../../src/tell-watch.ts";
import { advance } from "./forwarding.ts";
import { bindings, type Json, send } from "./gateway.ts";

export const MINUTE_MS = 60_000;

export function watch() {
  return bindings.WATCH.getByName(WATCH_NAME);
}

/** Moves the clock by `ms`, then lets the watch's alarm ring. */
export async function afterMinutes(minutes = 1): Promise<void> {
  await watch().health();
  advance(minutes * MINUTE_MS);
  if (!(await runDurableObjectAlarm(watch()))) throw new Error("the watch has no alarm set");
}

/** As {@link afterMinutes}, with the cron running each minute. */
export async function whileCronRuns(minutes = 1): Promise<void> {
  for (let i = 0; i < minutes; i++) {
    await watch().cronRan();
    await afterMinutes();
  }
}

let days = 0;

/** Begins a test on a day of its own, so that no isolate's memory of an earlier test is fresh. */
export function anotherDay(): void {
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(Date.now() + ++days * 86_400_000);
}

/** Forgets everything, and begins anew now. */
export async function freshWatch(): Promise<void> {
  await runInDurableObject(watch(), async (_watch, { storage }) => {
    await storage.deleteAlarm();
    await storage.deleteAll();
  });
  await evictDurableObject(watch());
}

/** The answer of `/health`, past what an isolate remembers of the last one. */
export async function health(headers: Record<string, string> = {}, using?: Bindings): Promise<Json> {
  vi.setSystemTime(Date.now() + 5_000);
  const { status, json } = await send("/health", { headers }, using);
  return { http: status, ...json };
}

export const PORTAL = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };
