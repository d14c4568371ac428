/**
 * What `npm run proof -- cost` multiplies with prices. Each shape of traffic runs from the POST to the purge; what is counted must be
 * what test/proofs/cost/counts.json says. Where a change is meant to cost more or less, the failure names the numbers to put there.
 */
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { evidence } from "../../../src/evidence/collector.ts";
import { advance, resetCircuitBreaker } from "../../support/forwarding.ts";
import { onInbox } from "../../support/gate.ts";
import { bindings, type Connection, createBoundConnection, gateOf, report } from "../../support/gateway.ts";
import kept from "./counts.json";
import { Meter } from "./meter.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Large enough that the payload is stored in the bucket, not in the row. */
const NOTE = "x".repeat(70_000);

// The pace of a deployed gateway, by the simulated clock.
beforeAll(() => {
  evidence.pauseMs = 1_000;
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Sends reports until they are `completed`. Returns how many. */
type Shape = (meter: Meter, connection: Connection, body: () => string) => Promise<number>;

async function steady(meter: Meter, connection: Connection, body: () => string): Promise<number> {
  const reports = 300;
  for (let i = 0; i < reports; i++) {
    await meter.alarmsUntil(connection, Date.now() + SECOND_MS);
    const fileId = await meter.accept(connection, body());
    await meter.consume();
    await meter.complete(fileId);
  }
  return reports;
}

async function burst(meter: Meter, connection: Connection, body: () => string): Promise<number> {
  const reports = 500;
  const accept = () => meter.accept(connection, body());
  const fileIds = await Promise.all(Array.from({ length: reports }, accept));
  await meter.consume();
  for (const fileId of fileIds) await meter.complete(fileId);
  return reports;
}

async function daily(meter: Meter, connection: Connection, body: () => string): Promise<number> {
  const reports = 3;
  for (let i = 0; i < reports; i++) {
    const fileId = await meter.accept(connection, body());
    await meter.consume();
    await meter.complete(fileId);
    await meter.alarmsUntil(connection, Date.now() + DAY_MS);
  }
  return reports;
}

/** A connection that was used before, so that one-time costs, such as its key in the archive, are not counted. */
async function usedConnection(): Promise<Connection> {
  const connection = await createBoundConnection({ plan: "enterprise" });
  await resetCircuitBreaker();
  const meter = new Meter();
  await meter.start(connection);
  const fileId = await meter.accept(connection, report());
  await meter.consume();
  await meter.complete(fileId);
  await meter.purge(connection);
  meter.stop(1);
  // At ten on a day without counts, so that the rows of hours and days do not depend on the time of the test.
  advance(DAY_MS - (Date.now() % DAY_MS) + 10 * HOUR_MS);
  await bindings.DB.batch(
    ["usage", "usage_changes"].map((table) => bindings.DB.prepare(`DELETE FROM ${table}`)),
  );
  return connection;
}

function rowsOf(connection: Connection): Promise<{ rows: number; bytes: number }> {
  return runInDurableObject(gateOf(connection), (_gate, { storage: { sql } }) => ({
    rows: onInbox(sql, "SELECT 1 FROM inbox").length,
    bytes: sql.databaseSize,
  }));
}

it.each([
  { name: "steady", shape: steady, payload: "inline", body: () => report() },
  { name: "steady", shape: steady, payload: "stored", body: () => report({ note: NOTE }) },
  { name: "burst", shape: burst, payload: "inline", body: () => report() },
  { name: "burst", shape: burst, payload: "stored", body: () => report({ note: NOTE }) },
  { name: "daily", shape: daily, payload: "inline", body: () => report() },
  { name: "daily", shape: daily, payload: "stored", body: () => report({ note: NOTE }) },
] satisfies { name: keyof typeof kept; shape: Shape; payload: "inline" | "stored"; body: () => string }[])(
  "costs what is kept: traffic that is $name, payloads $payload",
  { timeout: 60_000 },
  async ({ name, shape, payload, body }) => {
    const connection = await usedConnection();
    const meter = new Meter();
    await meter.start(connection);
    const reports = await shape(meter, connection, body);
    await meter.purge(connection);
    const { objectRowsRead: read, ...counts } = meter.stop(reports);
    expect((await rowsOf(connection)).rows).toBe(0);
    const { objectRowsRead: keptRead, parts: keptParts, ...keptCounts } = kept[name][payload];
    expect({ ...counts, parts: meter.parts(reports) }).toEqual({ ...keptCounts, parts: keptParts });
    // On a busy machine an object may hibernate in between. When it wakes, it reads the rows of its last hour again.
    expect(read).toBeGreaterThanOrEqual(keptRead);
    expect(read).toBeLessThan(keptRead + 2);
  },
);

it("keeps the bytes that are kept of an archived report", { timeout: 60_000 }, async () => {
  const connection = await usedConnection();
  const meter = new Meter();
  await meter.start(connection);
  const reports = await steady(meter, connection, () => report());
  await meter.alarmsUntil(connection, Date.now() + 3 * HOUR_MS);
  meter.stop(reports);
  const { rows, bytes } = await rowsOf(connection);
  expect(rows).toBe(reports);
  expect(bytes / rows).toBeGreaterThan(0.9 * kept.recordBytes);
  expect(bytes / rows).toBeLessThan(1.1 * kept.recordBytes);
});
