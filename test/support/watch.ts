/** Drives the watch: its minute, its clock, and what it answers. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { vi } from "vitest";
import type { Bindings } from "../../src/bindings.ts";
import { readSettings } from "../../src/env.ts";
import { WATCH_NAME } from "../../src/raised-conditions.ts";
import type { OperatorsWebhook } from "../../src/setting-parsers.ts";
import { advance } from "./forwarding.ts";
import { bindings, type gateOf, type Json, send } from "./gateway.ts";

export const MINUTE_MS = 60_000;

export function watch() {
  return bindings.WATCH.getByName(WATCH_NAME);
}

/** Lets minutes pass, and the watch's alarm ring in each. `before` runs before each alarm. */
export async function afterMinutes(minutes = 1, before?: () => Promise<void>): Promise<void> {
  for (let i = 0; i < minutes; i++) {
    await watch().health();
    advance(MINUTE_MS);
    await before?.();
    if (!(await runDurableObjectAlarm(watch()))) throw new Error("the watch has no alarm set");
  }
}

/** As {@link afterMinutes}, with the cron running each minute. */
export function whileCronRuns(minutes = 1): Promise<void> {
  return afterMinutes(minutes, async () => watch().cronRan());
}

/** As {@link whileCronRuns}, with the gate's alarm ringing when it is due. `after` runs at the end of each minute. */
export async function gateMinutes(
  gate: ReturnType<typeof gateOf>,
  minutes: number,
  after?: () => Promise<void>,
): Promise<void> {
  for (let i = 0; i < minutes; i++) {
    await whileCronRuns();
    const at = await runInDurableObject(gate, (_gate, { storage }) => storage.getAlarm());
    if (at !== null && at <= Date.now()) await runDurableObjectAlarm(gate);
    await after?.();
  }
}

/** The setting as the watch reads it. A watch that restarts forgets it. */
export async function operatorsWebhook(read: () => OperatorsWebhook | null): Promise<void> {
  await runInDurableObject(watch(), (instance) => {
    const { env } = instance as unknown as { env: Bindings };
    vi.spyOn(readSettings(env), "operatorsWebhook", "get").mockImplementation(read);
  });
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

/** Opens an alert of the connection. Returns its id. */
export async function openAlert({ id }: { id: string }): Promise<string> {
  await watch().raise({ kind: "refused_share", subject: `connection:${id}`, facts: {} });
  await afterMinutes();
  vi.useRealTimers();
  const open = await watch().listAlerts({ owner: null, status: "open", kind: "refused_share" }, null, 100);
  const alert = open.find(({ subject }) => subject.id === id);
  if (alert === undefined) throw new Error("no alert was opened");
  return alert.id;
}
