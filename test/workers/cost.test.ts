/**
 * What `npm run cost` multiplies with prices. Each shape of traffic runs from the POST to the purge; what is counted must be
 * what cost/counts.json says. When a change is meant to cost more or less, the new numbers stand in the failure.
 */
import { runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import kept from "../../cost/counts.json";
import { type Counts, Meter } from "../support/cost.ts";
import { advance, freshGovernor } from "../support/forwarding.ts";
import { type Connection, createBoundConnection, gateOf, report } from "../support/gateway.ts";

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** Large enough that the payload rests in the bucket and not in the row. */
const STORED = "x".repeat(70_000);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type Shape = (meter: Meter, connection: Connection, body: () => string) => Promise<number>;

const SHAPES: Record<keyof typeof kept, Shape> = {
  /** Ten minutes of one report a second; each is forwarded and reported on before the next one comes. */
  async steady(meter, connection, body) {
    const reports = 300;
    for (let i = 0; i < reports; i++) {
      await meter.alarmsUntil(connection, Date.now() + SECOND_MS);
      const fileId = await meter.accept(connection, body());
      await meter.consume();
      await meter.complete(fileId);
    }
    return reports;
  },
  /** Five hundred within a moment. */
  async burst(meter, connection, body) {
    const reports = 500;
    const fileIds = await Promise.all(Array.from({ length: reports }, () => meter.accept(connection, body())));
    await meter.consume();
    for (const fileId of fileIds) await meter.complete(fileId);
    return reports;
  },
  /** One a day, from a connection that has done so before. */
  async daily(meter, connection, body) {
    const reports = 3;
    for (let i = 0; i < reports; i++) {
      const fileId = await meter.accept(connection, body());
      await meter.consume();
      await meter.complete(fileId);
      await meter.alarmsUntil(connection, Date.now() + DAY_MS);
    }
    return reports;
  },
};

async function measure(shape: Shape, body: () => string): Promise<Counts> {
  const connection = await createBoundConnection({ plan: "enterprise" });
  await freshGovernor();
  // What a connection costs once is no part of it: the first report, its key in the archive.
  const before = new Meter();
  await before.start(connection);
  await before.complete(await before.accept(connection).then(async (fileId) => (await before.consume(), fileId)));
  await before.purge(connection);
  before.stop(1);
  const rows = () => runInDurableObject(gateOf(connection), (_g, { storage }) => storage.sql.exec("SELECT count(*) AS n FROM inbox").one().n);
  expect(await rows()).toBe(0);

  advance(60 * SECOND_MS);
  const meter = new Meter();
  await meter.start(connection);
  const reports = await shape(meter, connection, body);
  await meter.purge(connection);
  const counts = meter.stop(reports);
  expect(await rows()).toBe(0);
  return counts;
}

it.each(Object.keys(kept) as (keyof typeof kept)[])("counts what is kept, for traffic that is %s", { timeout: 60_000 }, async (name) => {
  const inline = await measure(SHAPES[name], () => report());
  const stored = await measure(SHAPES[name], () => report({ note: STORED }));
  console.info(JSON.stringify({ [name]: { inline, stored } }));
  expect({ inline, stored }).toEqual({ inline: near(kept[name].inline), stored: near(kept[name].stored) });
});

/** Wake-ups of a burst are coalesced by the clock, so a few more or less are no change. */
function near(counts: Record<string, number>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, expect.closeTo(n, n < 0.5 ? 1 : 1)]));
}
