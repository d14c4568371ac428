import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { KEEP_EVIDENCE_MS } from "../../../src/evidence/evidence-store.ts";
import { logName } from "../../../src/evidence/request-log-name.ts";
import { DAY_MS, dayOf, HOUR_MS, minuteOf } from "../../../src/usage/periods.ts";
import { bindings } from "../../support/gateway.ts";

const SHARD = 100;
/** In the future, so that no alarm rings by itself. */
const NOW = dayOf(Date.now()) + 365 * DAY_MS;

const log = () => bindings.REQUEST_LOG.getByName(logName(SHARD));

afterEach(() => vi.useRealTimers());

function alarmAt(): Promise<number | null> {
  return runInDurableObject(log(), (_log, { storage }) => storage.getAlarm());
}

/** Runs the alarm whenever it is due. */
async function alarmsUntil(end: number): Promise<void> {
  for (let at = await alarmAt(); at !== null && at <= end; at = await alarmAt()) {
    vi.setSystemTime(at);
    await runDurableObjectAlarm(log());
  }
  vi.setSystemTime(end);
}

async function kept(): Promise<Record<string, number>> {
  const everything = { outcome: null, code: null, since: 0, until: 2 * NOW, before: null, limit: 10 };
  return (await log().requests(everything)).counts;
}

it("a request log deletes its evidence after 30 days, and then rests", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  const counts = [{ minute: minuteOf(NOW), code: "CONNECTION_NOT_FOUND", n: 3 }];
  await log().note(SHARD, { id: "note_1", counts, samples: [] });
  await alarmsUntil(NOW + KEEP_EVIDENCE_MS - HOUR_MS);
  expect(await kept()).toEqual({ CONNECTION_NOT_FOUND: 3 });
  await alarmsUntil(NOW + KEEP_EVIDENCE_MS + HOUR_MS);
  expect(await kept()).toEqual({});
  expect(await alarmAt()).toBeNull();
});
