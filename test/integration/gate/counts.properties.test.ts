/**
 * Any traffic, under a clock that jumps, with restarts, and with a database that loses calls and answers: in the end the counts of
 * hours, days, the owner and everything are exactly what the list of files counts, and what was noted of refused and repeated requests.
 */
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import type { UsagePeriod } from "../../../src/db/schema.ts";
import { mintedAt } from "../../../src/gate/file-id.ts";
import type { Outcome } from "../../../src/gate/protocol.ts";
import { addCounts, type Counts } from "../../../src/usage/counts.ts";
import { dayOf, hourOf } from "../../../src/usage/periods.ts";
import { COMPUTED_AFTER_MS, rollUp } from "../../../src/usage/roll-up.ts";
import {
  type Bench,
  factsAt,
  HOUR,
  inGate,
  MINUTE,
  registeredGate,
  SECOND,
  seqOf,
} from "../../support/gate.ts";
import { bindings } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";
import { deleteUsage, usageOf } from "../../support/usage.ts";

const isCompared = (name: string) => !name.startsWith("latency_");
const START = Date.UTC(2026, 4, 6, 21, 50);

beforeEach(async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  await deleteUsage();
});
afterEach(() => vi.restoreAllMocks());

/** When a call of the database fails, or the object dies in it, after a report has come in. */
const FAULTS = ["never", "before", "after", "death before", "death after"] as const;

const which = fc.nat();
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("accept" as const), bytes: fc.nat(5_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("repeat" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reserve" as const), bytes: fc.nat(5_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("commit" as const), which }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("forward" as const), which, refused: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("report" as const),
      which,
      status: fc.constantFrom("processing" as const, "completed" as const, "failed" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("replay" as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("note" as const),
      code: fc.constantFrom("INVALID_SIGNATURE", "RATE_LIMIT_EXCEEDED", "DUPLICATE"),
      n: fc.integer({ min: 1, max: 500 }),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(40 * MINUTE) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("jump" as const),
      ms: fc.integer({ min: -3 * HOUR, max: 5 * HOUR }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("alarm" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("database" as const),
      fails: fc.constantFrom(...FAULTS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("roll up" as const), diesAt: fc.nat(12) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A database that fails as `fault` says, until it is told otherwise. */
function faultyDatabase(dies: () => void) {
  const faults: { fault: (typeof FAULTS)[number] } = { fault: "never" };
  const { DB } = intercepted(async (call, proceed) => {
    const { fault } = faults;
    if (call !== "DB.batch" || fault === "never") return proceed();
    if (fault.endsWith("after")) await proceed();
    if (fault.startsWith("death")) dies();
    throw new Error("the database is away");
  });
  return { DB, faults };
}

async function take(
  bench: Bench,
  faults: { fault: (typeof FAULTS)[number] },
  admissions: Parameters<Bench["admit"]>[0][],
  each: Step,
) {
  const pick = <T>(all: readonly T[], n: number): T | undefined => all[n % Math.max(all.length, 1)];
  const fileOf = (n: number) => pick(admissions, n)?.fileId ?? null;
  const admit = (bytes: number, sealed: null | undefined) => {
    const admission = bench.admission({
      facts: JSON.stringify(factsAt(bench.clock.now, { size: bytes })),
      ...(sealed === null && { sealed }),
    });
    bench.admit(admission);
    admissions.push(admission);
  };
  if (each.do === "accept") admit(each.bytes, undefined);
  if (each.do === "reserve") admit(each.bytes, null);
  if (each.do === "wait" || each.do === "jump") bench.clock.now += each.ms;
  if (each.do === "alarm") await bench.maintenance.run();
  if (each.do === "restart") bench.restart();
  if (each.do === "database") faults.fault = each.fails;
  if (each.do === "roll up") await dyingRollUp(bench.clock.now, each.diesAt);
  if (each.do === "repeat") {
    const repeated = pick(admissions, each.which);
    if (repeated !== undefined) bench.admit(repeated);
  }
  const fileId = "which" in each ? fileOf(each.which) : null;
  if (fileId === null || bench.row(fileId) === null) return;
  if (each.do === "commit") bench.admissions.commit(seqOf(fileId), bench.clock.now);
  if (each.do === "replay") bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
  if (each.do === "report")
    bench.lifecycle.report(seqOf(fileId), { eventId: newObjectId(), status: each.status }, bench.clock.now);
  if (each.do === "forward") {
    const claimed = bench.claim(fileId);
    const outcome: Outcome = each.refused
      ? { kind: "refused", responseStatus: 422, error: new Uint8Array(1) }
      : { kind: "forwarded", recordsTotal: 1 };
    if (claimed !== undefined) bench.settle(fileId, claimed.token, outcome);
  }
}

/** A run of the cron that dies at one of its calls, or comes through. */
async function dyingRollUp(now: number, diesAt: number): Promise<void> {
  let calls = 0;
  const { DB } = intercepted((call, proceed) =>
    call.startsWith("DB.") && call !== "DB.prepare" && ++calls > diesAt
      ? Promise.reject(new Error("the cron has died"))
      : proceed(),
  );
  await rollUp(DB, now).catch(() => undefined);
}

/** A note of an isolate, which it repeats when it gets no answer. Adds it to what was noted. */
function note(
  bench: Bench,
  noted: Map<number, Counts>,
  { code, n, times }: { code: string; n: number; times: number },
) {
  const minute = Math.floor(bench.clock.now / MINUTE);
  const sent = { id: newObjectId(), counts: [{ minute, code, n }], samples: [] };
  for (let time = 0; time < times; time++) {
    bench.state.note(bench.gate.address, sent, bench.clock.now);
    if (time === 1) bench.restart();
  }
  const at = hourOf(bench.clock.now);
  const counts = noted.get(at) ?? {};
  noted.set(at, counts);
  addCounts(counts, { [code === "DUPLICATE" ? "duplicate" : `refused:${code}`]: n });
}

/** What the list of files counts, by hour, with what was noted. */
function listed(bench: Bench, noted: Map<number, Counts>): Map<number, Counts> {
  const hours = new Map([...noted].map(([at, counts]) => [at, { ...counts }]));
  for (const row of bench.files.list(null, 10_000)) {
    const at = hourOf(mintedAt(row.seq));
    const counts = hours.get(at) ?? {};
    hours.set(at, counts);
    const record = bench.lifecycle.record(row);
    addCounts(counts, { accepted: 1, bytes: row.facts.size });
    if (record?.status === "completed" || record?.status === "failed")
      addCounts(counts, { [record.status]: 1 });
  }
  return hours;
}

/** Empty periods and measures of which there are none left out. */
function exactly(periods: Map<number, Counts>): Record<number, Counts> {
  const exact = (counts: Counts) =>
    Object.fromEntries(Object.entries(counts).filter(([name, n]) => isCompared(name) && n > 0));
  return Object.fromEntries([...periods].map(([at, counts]) => [at, exact(counts)]));
}

async function stored(scope: string, period: UsagePeriod): Promise<Record<number, Counts>> {
  const rows = await usageOf(scope, period);
  return exactly(new Map(rows.map((row) => [row.at, row.counts])));
}

function byDay(hours: Map<number, Counts>): Map<number, Counts> {
  const days = new Map<number, Counts>();
  for (const [at, counts] of hours) {
    const day = days.get(dayOf(at)) ?? {};
    days.set(dayOf(at), day);
    addCounts(day, counts);
  }
  return days;
}

it("adds up to what the files are, whatever happened", async () => {
  const expectedOfAll = new Map<number, Counts>();
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 20, maxLength: 60, size: "max" }),
    async (steps) => {
      const owner = { owner_type: "payroll_company", owner_id: newObjectId() };
      const gate = await registeredGate({ plan: "enterprise" }, owner);
      const hours = await inGate(gate, async (bench) => {
        const { DB, faults } = faultyDatabase(() => {
          bench.accept();
          bench.restart();
        });
        bench.db = DB;
        bench.clock.now = START;
        bench.restart();
        const admissions: Parameters<Bench["admit"]>[0][] = [];
        const noted = new Map<number, Counts>();
        for (const each of steps) {
          bench.clock.now += SECOND;
          if (each.do === "note") note(bench, noted, each);
          else await take(bench, faults, admissions, each);
        }
        faults.fault = "never";
        bench.restart();
        for (let i = 0; i < 20 && bench.state.changedHours.dueAt(bench.clock.now) !== null; i++)
          await bench.runAfter(10 * MINUTE);
        expect(bench.state.changedHours.dueAt(bench.clock.now)).toBeNull();
        const later = bench.clock.now + 10 * MINUTE + COMPUTED_AFTER_MS;
        // A mark that was set before the clock went back may still be a few minutes ahead.
        for (let i = 0; i < 5; i++) await rollUp(bindings.DB, later + i * 10 * MINUTE);
        return listed(bench, noted);
      });
      for (const [at, counts] of hours) {
        const sum = expectedOfAll.get(at) ?? {};
        expectedOfAll.set(at, sum);
        addCounts(sum, counts);
      }

      expect(await stored(`connection:${gate.address.id}`, "hour")).toEqual(exactly(hours));
      expect(await stored(`connection:${gate.address.id}`, "day")).toEqual(exactly(byDay(hours)));
      const scope = `owner:${owner.owner_type}:${owner.owner_id}`;
      expect(await stored(scope, "hour")).toEqual(exactly(hours));
      expect(await stored(scope, "day")).toEqual(exactly(byDay(hours)));
      expect(await stored("all", "hour")).toEqual(exactly(expectedOfAll));
      expect(await stored("all", "day")).toEqual(exactly(byDay(expectedOfAll)));
    },
  );
  await fc.assert(property, { numRuns: 40, endOnFailure: true });
});
