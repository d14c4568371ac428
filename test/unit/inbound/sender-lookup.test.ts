import { expect, it } from "vitest";
import type { KeyRing } from "../../../src/crypto/vault.ts";
import { AbuseLimiter } from "../../../src/inbound/abuse-limiter.ts";
import { type ReportSender, SenderCache } from "../../../src/inbound/sender-cache.ts";
import { SenderLookup } from "../../../src/inbound/sender-lookup.ts";

const SENDER = {
  gate: { kind: "connection", id: "0123456789abcdef01234567" },
  owner: { type: "payroll_company", id: "acme" },
} as ReportSender;

it.each([true, false])(
  "confirms a sender with few reads for requests that come in the same turn (verified: %s)",
  async (verified) => {
    let reads = 0;
    const cache = new SenderCache(async () => {
      reads++;
      await scheduler.wait(30);
      return { value: SENDER, fromPrimary: true };
    });
    const limiter = new AbuseLimiter();
    const deps = { db: {} as D1Database, keyRing: {} as KeyRing, missesRingKey: () => undefined };
    const lookups = Array.from(
      { length: 20 },
      () => new SenderLookup(cache, "a", deps, limiter.account("203.0.113.1", "a")),
    );
    const found = await Promise.all(lookups.map((lookup) => lookup.confirmOnPrimary({ verified })));
    for (const each of found) expect(each).toMatchObject({ ok: true, value: { sender: SENDER } });
    // The first read began before the last request came, so that one more may follow it.
    expect(reads).toBeLessThanOrEqual(2);
  },
);
