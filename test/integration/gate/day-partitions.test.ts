import { describe, expect, it } from "vitest";
import { CROWDED_BYTES } from "../../../src/gate/maintenance.ts";
import {
  Bench,
  countingRows,
  DAY,
  HOUR,
  inGate,
  MINUTE,
  mintApart,
  newGate,
  onInbox,
  randomBytes,
  randomMac,
  randomSignature,
  SECOND,
  segmentsOf,
  seqOf,
} from "../../support/gate.ts";

/** A midnight, UTC, that is not over. */
const MIDNIGHT = Math.ceil(Date.now() / DAY) * DAY;
/** How many files a partition must hold before the next day gets its own. */
const WORTH = 100;

function namesOf({ sql }: Bench): string[] {
  return sql
    .exec("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'inbox_[0-9]*' ORDER BY name")
    .toArray()
    .map(({ name }) => String(name));
}

function tableOf(at: number): string {
  return `inbox_${Math.floor(at / DAY)}`;
}

/** Files of that moment, oldest first. */
function acceptAt(bench: Bench, at: number, count = 1): string[] {
  bench.clock.now = at;
  return Array.from({ length: count }, () => bench.accept()).sort();
}

/** Runs `work` in a gate in which the day before {@link MIDNIGHT} has its own partition, with the files of that day's last minute. */
async function atMidnight(work: (bench: Bench, before: string[]) => unknown): Promise<void> {
  await inGate(await newGate({ plan: "enterprise" }), async (bench) => {
    await work(bench, acceptAt(bench, MIDNIGHT - 1, WORTH));
  });
}

/** Forwards `files` and lets them be archived. */
async function archive(bench: Bench, files: string[]): Promise<void> {
  for (const fileId of files) bench.forward(fileId);
  await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
  for (const fileId of files) expect(bench.row(fileId)?.stored).not.toBeNull();
}

/** `bench` with its statements counted, as after a restart. */
function counted(bench: Bench): { bench: Bench; rows: ReturnType<typeof countingRows> } {
  const rows = countingRows(bench.sql);
  const other = new Bench(bench.gate, rows.sql);
  other.clock.now = bench.clock.now;
  other.restart();
  return { bench: other, rows };
}

describe("a day partition", () => {
  it("is created for the first file of a day if the previous one is worth dropping", async () => {
    await atMidnight((bench) => {
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT - 1)]);
      acceptAt(bench, MIDNIGHT);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT - 1), tableOf(MIDNIGHT)]);
      expect(onInbox(bench.sql, "SELECT count(*) AS n FROM inbox")).toEqual([{ n: WORTH }, { n: 1 }]);
    });
  });

  it("is not created while the previous one holds few files", async () => {
    await inGate(await newGate(), (bench) => {
      const files = Array.from({ length: WORTH }, (_unused, day) => acceptAt(bench, MIDNIGHT + day * DAY));
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT)]);
      for (const [fileId = ""] of files) expect(bench.row(fileId)).not.toBeNull();
    });
  });

  it("is not created in the middle of a day, whose files would then be in two partitions", async () => {
    await inGate(await newGate({ plan: "enterprise" }), (bench) => {
      acceptAt(bench, MIDNIGHT - DAY, WORTH - 1);
      const [first = ""] = acceptAt(bench, MIDNIGHT);
      bench.restart();
      const [second = ""] = acceptAt(bench, MIDNIGHT + HOUR);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT - DAY)]);
      for (const fileId of [first, second]) expect(bench.row(fileId)).not.toBeNull();
      acceptAt(bench, MIDNIGHT + DAY);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT - DAY), tableOf(MIDNIGHT + DAY)]);
      for (const fileId of [first, second]) expect(bench.row(fileId)).not.toBeNull();
    });
  });

  it("has the template's columns and indexes", async () => {
    await atMidnight(({ sql }) => {
      const schema = (partition: string) =>
        sql
          .exec("SELECT sql FROM sqlite_schema WHERE tbl_name = ? ORDER BY name", partition)
          .toArray()
          .map((row) => String(row.sql).replaceAll(partition, "inbox"));
      expect(schema(tableOf(MIDNIGHT - 1))).toHaveLength(4);
      expect(schema(tableOf(MIDNIGHT - 1))).toEqual(schema("inbox_template"));
    });
  });

  it("costs five rows, and its files one each", async () => {
    await atMidnight((before) => {
      before.clock.now = MIDNIGHT;
      const { bench, rows } = counted(before);
      const written = rows.written();
      bench.accept();
      // The first file of an hour also marks the hour as changed.
      expect(rows.written() - written).toBe(7);
      bench.accept();
      expect(rows.written() - written).toBe(8);
    });
  });

  it("costs an admission no further statement once it exists", async () => {
    await atMidnight((bench) => {
      acceptAt(bench, MIDNIGHT);
      const statements = (fields: Parameters<Bench["accept"]>[0]) => {
        const seen: string[] = [];
        const sql = new Proxy(bench.sql, {
          get: (target, name) =>
            name === "exec"
              ? (query: string, ...values: unknown[]) => {
                  seen.push(query);
                  return target.exec(query, ...values);
                }
              : Reflect.get(target, name, target),
        });
        const warm = new Bench(bench.gate, sql);
        warm.clock.now = MIDNIGHT + SECOND;
        warm.restart();
        warm.accept();
        seen.length = 0;
        warm.accept(fields);
        return seen.filter((query) => query.includes("inbox"));
      };
      expect(statements({})).toHaveLength(1);
      // The insert, and one query for the key in both partitions.
      expect(statements({ keyMac: randomMac() })).toHaveLength(2);
    });
  });
});

describe("across midnight", () => {
  it.each([
    { name: "its last millisecond", at: MIDNIGHT - 1, partition: tableOf(MIDNIGHT - 1) },
    { name: "the next day's first", at: MIDNIGHT, partition: tableOf(MIDNIGHT) },
  ])("a file belongs to the day it was minted in, whenever it arrives: $name", async ({ at, partition }) => {
    await atMidnight(async (bench) => {
      acceptAt(bench, MIDNIGHT);
      await bench.runAfter(2 * MINUTE);
      bench.clock.now = MIDNIGHT + 30 * SECOND;
      const fileId = mintApart(bench.gate.address, at);
      const admission = bench.admission({ fileId });
      expect(bench.admit(admission).outcome).toBe("accepted");
      expect(bench.admit(admission).outcome).toBe("accepted");
      bench.restart();
      expect(bench.admit(admission).outcome).toBe("accepted");
      expect(bench.row(fileId)).toMatchObject({ state: "queued" });
      expect(
        bench.sql.exec(`SELECT 1 FROM ${partition} WHERE seq = ?`, seqOf(fileId)).toArray(),
      ).toHaveLength(1);
      bench.woken.length = 0;
      await bench.runAlarmsUntil(bench.clock.now + 5 * MINUTE);
      expect(bench.woken.flat()).toContain(fileId);
      bench.forward(fileId);
      await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
      expect(bench.files.payload(seqOf(fileId))).toBeNull();
      expect(bench.sealedOf(fileId)).toEqual(admission.sealed);
    });
  });

  it("signatures, bodies and rates are remembered through a restart", async () => {
    await inGate(await newGate({ plan: "sandbox" }), (bench) => {
      bench.clock.now = MIDNIGHT - 10 * MINUTE;
      for (let i = 0; i < WORTH; i++) bench.forward(bench.accept());
      bench.clock.now = MIDNIGHT - SECOND;
      const first = bench.admission();
      bench.admit(first);
      bench.clock.now = MIDNIGHT + SECOND;
      bench.accept();
      expect(namesOf(bench)).toHaveLength(2);
      const again = (fields = {}) => ({
        ...first,
        fileId: mintApart(bench.gate.address, bench.clock.now),
        ...fields,
      });
      for (const restarted of [false, true]) {
        if (restarted) bench.restart();
        expect(bench.admit(again())).toMatchObject({ outcome: "repeat", fileId: first.fileId });
        for (const [perHour, allowed] of [
          [WORTH + 2, false],
          [WORTH + 3, true],
        ] as const)
          expect(bench.state.recent.allows({ perMinute: 1_000, perHour }, bench.clock.now)).toBe(allowed);
        expect(bench.state.recent.byBody(first.bodyMac, bench.clock.now)).toBe(seqOf(first.fileId));
      }
      const signed = { signature: randomSignature(), timestampMs: bench.clock.now };
      expect(bench.admit(again({ signed }))).toMatchObject({ sameBodyAs: first.fileId });
      bench.clock.now = first.signed ? first.signed.timestampMs + 5 * MINUTE + 1 : 0;
      expect(bench.admit(again()).outcome).toBe("expired");
    });
  });

  it("a key names its file for 24 hours, whichever partition has it", async () => {
    await atMidnight((bench) => {
      const keyMac = randomMac();
      const first = bench.admission({ keyMac });
      bench.admit(first);
      const again = (bodyMac = first.bodyMac) => bench.admission({ keyMac, bodyMac });
      acceptAt(bench, MIDNIGHT, WORTH);
      acceptAt(bench, MIDNIGHT - 1 + DAY - 1);
      bench.restart();
      expect(bench.admit(again())).toMatchObject({ outcome: "repeat", fileId: first.fileId });
      expect(bench.admit(again(randomMac())).outcome).toBe("conflict");
      acceptAt(bench, MIDNIGHT + DAY);
      const second = again();
      expect(bench.admit(second).outcome).toBe("accepted");
      expect(bench.admit(again())).toMatchObject({ outcome: "repeat", fileId: second.fileId });
      expect(namesOf(bench)).toHaveLength(3);
    });
  });

  it("a key names its file for 24 hours from its admission, in the partition of the day it was minted", async () => {
    await atMidnight((bench) => {
      acceptAt(bench, MIDNIGHT, WORTH);
      bench.clock.now = MIDNIGHT + 30 * SECOND;
      const keyMac = randomMac();
      const first = bench.admission({ keyMac, fileId: mintApart(bench.gate.address, MIDNIGHT - 1) });
      bench.admit(first);
      bench.clock.now += DAY - 1;
      const again = bench.admission({ keyMac, bodyMac: first.bodyMac });
      expect(bench.admit(again)).toMatchObject({ outcome: "repeat", fileId: first.fileId });
    });
  });

  it("a key is found in any of many partitions, after the clock ran ahead for a week and was set back", async () => {
    await atMidnight((bench) => {
      for (let day = 0; day < 7; day++) acceptAt(bench, MIDNIGHT + day * DAY, WORTH);
      const first = bench.admission({ keyMac: randomMac() });
      bench.admit(first);
      bench.clock.now = MIDNIGHT + HOUR;
      const again = bench.admission({ keyMac: first.keyMac, bodyMac: first.bodyMac });
      expect(bench.admit(again)).toMatchObject({ outcome: "repeat", fileId: first.fileId });
    });
  });

  it("a key of two files names the newer one, after the clock ran ahead and was set back", async () => {
    await atMidnight((bench) => {
      const keyMac = randomMac();
      const first = bench.admission({ keyMac });
      bench.admit(first);
      bench.clock.now = MIDNIGHT + 2 * DAY;
      const second = bench.admission({ keyMac });
      bench.admit(second);
      bench.clock.now = MIDNIGHT + HOUR;
      bench.restart();
      const again = bench.admission({ keyMac, bodyMac: second.bodyMac });
      expect(bench.admit(again)).toMatchObject({ outcome: "repeat", fileId: second.fileId });
    });
  });

  it("a key that was first seen on a repeat still names the file of the day before", async () => {
    await atMidnight((bench) => {
      const first = bench.admission();
      bench.admit(first);
      bench.clock.now = MIDNIGHT + MINUTE;
      bench.accept();
      const keyed = bench.admission({ bodyMac: first.bodyMac, keyMac: randomMac(), sameBody: "deduplicate" });
      expect(bench.admit(keyed)).toMatchObject({ outcome: "repeat", fileId: first.fileId });
      bench.clock.now += 3 * HOUR;
      bench.restart();
      const again = bench.admission({ bodyMac: first.bodyMac, keyMac: keyed.keyMac });
      expect(bench.admit(again)).toMatchObject({ outcome: "repeat", fileId: first.fileId });
    });
  });

  it("files on both sides are woken, each once", async () => {
    await atMidnight(async (bench, before) => {
      const after = acceptAt(bench, MIDNIGHT, 5);
      await bench.runAfter(MINUTE + SECOND);
      expect(bench.woken.flat().sort()).toEqual([...before, ...after]);
      bench.restart();
      await bench.runAfter(SECOND);
      expect(bench.woken.flat()).toHaveLength(before.length + after.length);
    });
  });

  it("files on both sides are archived in one segment, and deferred ones late", async () => {
    await atMidnight(async (bench, [late = "", ...before]) => {
      const after = acceptAt(bench, MIDNIGHT, 5);
      bench.forward(late, {
        kind: "deferred",
        responseStatus: 503,
        retryAfterMs: null,
        error: randomBytes(8),
      });
      bench.forward(late);
      await archive(bench, [...before, ...after]);
      expect([...bench.archive.keys()].filter((key) => key.startsWith("archive/"))).toHaveLength(2);
      for (const fileId of [late, ...before, ...after]) expect(bench.files.payload(seqOf(fileId))).toBeNull();
    });
  });

  it("reservations of the day before are dropped with their objects", async () => {
    await atMidnight(async (bench) => {
      const reserved = bench.accept({ sealed: null });
      acceptAt(bench, MIDNIGHT);
      bench.restart();
      await bench.runAlarmsUntil(MIDNIGHT + 11 * MINUTE);
      expect(bench.row(reserved)).toBeNull();
    });
  });
});

describe("over several partitions, with days without one between them", () => {
  const DAYS = [0, 1, 2, 5, 9, 10];

  async function filled(work: (bench: Bench, files: string[]) => unknown): Promise<void> {
    await inGate(await newGate({ plan: "enterprise" }), async (bench) => {
      const files = DAYS.flatMap((day) => acceptAt(bench, MIDNIGHT + day * DAY, WORTH));
      expect(namesOf(bench)).toHaveLength(DAYS.length);
      await work(bench, files);
    });
  }

  it.each([7, 100, 250])("the list has no gap and no repeat, %i a page", async (limit) => {
    await filled((bench, files) => {
      const listed: string[] = [];
      let page: string[] = [];
      do {
        page = bench.files.list(listed.at(-1) ?? null, limit).map((row) => row.seq);
        listed.push(...page);
      } while (page.length === limit);
      expect(listed).toEqual(files.map(seqOf).reverse());
    });
  });

  it("each file is found, and no file that does not exist", async () => {
    await filled((bench, files) => {
      for (const fileId of files) expect(bench.row(fileId)?.seq).toBe(seqOf(fileId));
      for (const day of [-400, -1, 0, 3, 9, 400])
        expect(bench.row(mintApart(bench.gate.address, MIDNIGHT + day * DAY + HOUR))).toBeNull();
    });
  });

  it("an old file is replayed, forwarded and archived again", async () => {
    await filled(async (bench, files) => {
      await archive(bench, files);
      const [old = ""] = files;
      bench.lifecycle.report(seqOf(old), { eventId: "e", status: "completed" }, bench.clock.now);
      expect(bench.lifecycle.replay(seqOf(old), bench.clock.now)).toEqual({
        outcome: "queued",
        generation: 2,
      });
      bench.restart();
      bench.woken.length = 0;
      await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
      expect(bench.woken).toEqual([[old]]);
      bench.forward(old);
      await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
      expect(bench.row(old)).toMatchObject({ state: "processing", generation: 2, dueAt: null });
    });
  });

  it("an alarm with nothing to do reads a few rows, however many partitions there are", async () => {
    await filled(async (before, files) => {
      await archive(before, files);
      const { bench, rows } = counted(before);
      await bench.maintenance.run();
      bench.maintenance.nextAt();
      const read = rows.read();
      await bench.maintenance.run();
      bench.maintenance.nextAt();
      expect(rows.read() - read).toBeLessThan(15);
    });
  });

  it.each([
    { name: "is reserved", get: (bench: Bench) => bench.accept({ sealed: null }), due: 10 * MINUTE },
    {
      name: "is deferred",
      get: (bench: Bench) => {
        const fileId = bench.accept();
        bench.forward(fileId, { kind: "postponed", retryAfterMs: 2 * MINUTE });
        return fileId;
      },
      due: 2 * MINUTE,
    },
  ])("an alarm that saw nothing due sees the next file that $name", async ({ get, due }) => {
    await inGate(await newGate(), (bench) => {
      bench.forward(bench.accept());
      bench.maintenance.nextAt();
      expect(bench.state.dueFiles.earliestUnsettled()).toBeNull();
      const fileId = get(bench);
      expect(bench.state.dueFiles.earliestUnsettled()).toBe(bench.row(fileId)?.dueAt);
      expect(bench.state.dueFiles.earliestUnsettled()).toBeGreaterThanOrEqual(bench.clock.now + due);
    });
  });

  it("every query uses a range or an index and sorts nothing", async () => {
    await filled(async (before, files) => {
      const plans = new Map<string, string>();
      const explaining = new Proxy(before.sql, {
        get: (target, name) =>
          name === "exec"
            ? (query: string, ...values: unknown[]) => {
                if (/^(SELECT|UPDATE|DELETE).* inbox_\d/s.test(query)) {
                  const plan = target.exec(`EXPLAIN QUERY PLAN ${query}`, ...values).toArray();
                  plans.set(query.replaceAll(/\d+/g, "N"), plan.map(({ detail }) => detail).join("; "));
                }
                return target.exec(query, ...values);
              }
            : Reflect.get(target, name, target),
      });
      const bench = new Bench(before.gate, explaining);
      bench.clock.now = before.clock.now;
      bench.restart();
      const reserved = bench.accept({ sealed: null, keyMac: randomMac() });
      const [late = "", ...others] = files.reverse();
      bench.forward(late, {
        kind: "deferred",
        responseStatus: 503,
        retryAfterMs: null,
        error: randomBytes(8),
      });
      bench.forward(late);
      await archive(bench, others);
      bench.files.list(null, 10);
      bench.files.byRequest("req_o", bench.clock.now - 2 * MINUTE, bench.clock.now);
      await bench.runAlarmsUntil(bench.clock.now + 98 * DAY);
      expect(bench.row(reserved)).toBeNull();
      expect(plans.size).toBeGreaterThan(18);
      // These end with the first row they see, with the hundredth, or look through what is dropped next.
      const scans = /^SELECT (key FROM inbox_N ORDER BY key DESC LIMIT N|count|N FROM inbox_N WHERE NOT)/;
      const bad = [...plans].filter(([query, plan]) => /SCAN|TEMP B-TREE/.test(plan) && !scans.test(query));
      expect(bad).toEqual([]);
    });
  });
});

describe("a clock that ran ahead and was set back", () => {
  it("loses and duplicates no file, whichever partition was created first", async () => {
    await atMidnight(async (bench, before) => {
      const ahead = acceptAt(bench, MIDNIGHT + 9 * DAY, WORTH);
      const back = acceptAt(bench, MIDNIGHT + HOUR, WORTH);
      const later = [1, 2, 8, 9, 10].flatMap((day) => acceptAt(bench, MIDNIGHT + day * DAY + HOUR, WORTH));
      const days = [-1, 0, 1, 2, 8, 9, 10].map((day) => tableOf(MIDNIGHT + day * DAY));
      expect(namesOf(bench)).toEqual(days.sort());
      const all = [...before, ...back, ...ahead, ...later].sort();
      for (const restarted of [false, true]) {
        if (restarted) bench.restart();
        expect(bench.files.list(null, 10_000).map((row) => row.seq)).toEqual(all.map(seqOf).reverse());
        for (const fileId of all) expect(bench.row(fileId)).not.toBeNull();
      }
      await bench.runAlarmsUntil(bench.clock.now + 5 * MINUTE);
      expect(new Set(bench.woken.flat())).toEqual(new Set(all));
    });
  });

  it("to a time before the oldest partition finds the files that are admitted then", async () => {
    await atMidnight(async (bench) => {
      const files = acceptAt(bench, MIDNIGHT - 5 * DAY, 3);
      bench.restart();
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT - 1)]);
      await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
      expect(bench.woken.flat().sort()).toEqual(files);
      await archive(bench, files);
      expect(bench.files.list(files.at(-1) ?? null, 10)).toHaveLength(0);
      expect(bench.files.list(null, 1_000)).toHaveLength(WORTH + files.length);
    });
  });
});

describe("a partition whose files are all old", () => {
  it("is dropped when its youngest file is 90 days old, and only that it was is written", async () => {
    await atMidnight(async (before, files) => {
      const after = acceptAt(before, MIDNIGHT);
      await archive(before, [...files, ...after]);
      before.clock.now = MIDNIGHT - 1 + 90 * DAY;
      const { bench, rows } = counted(before);
      await bench.maintenance.run();
      expect(namesOf(bench)).toHaveLength(2);
      const written = rows.written();
      await bench.runAfter(1);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT)]);
      expect(rows.written() - written).toBe(1);
      for (const fileId of files) expect(bench.row(fileId)).toBeNull();
      for (const fileId of after) expect(bench.row(fileId)).not.toBeNull();
      expect(bench.files.list(null, 10)).toHaveLength(1);
    });
  });

  it("is dropped even if it is the last, and the gate accepts files again", async () => {
    await atMidnight(async (bench, files) => {
      await archive(bench, files);
      await bench.runAlarmsUntil(MIDNIGHT + 98 * DAY);
      expect(namesOf(bench)).toEqual([]);
      expect(bench.maintenance.nextAt()).toBeNull();
      const fileId = bench.accept();
      bench.restart();
      expect(bench.claim(fileId)).toBeDefined();
    });
  });

  it("loses them one by one if it is the last and they are few: creating another would cost more", async () => {
    await inGate(await newGate(), async (bench) => {
      await archive(bench, acceptAt(bench, MIDNIGHT, WORTH - 1));
      await bench.runAlarmsUntil(MIDNIGHT + 98 * DAY);
      expect(onInbox(bench.sql, "SELECT count(*) AS n FROM inbox")).toEqual([{ n: 0 }]);
      const warm = counted(bench);
      // The first file of an hour also marks the hour as changed.
      warm.bench.accept();
      const written = warm.rows.written();
      warm.bench.accept();
      expect(warm.rows.written() - written).toBe(1);
    });
  });

  it("is dropped after a week when the gate is nearly full", async () => {
    await atMidnight(async (bench, files) => {
      acceptAt(bench, MIDNIGHT);
      await archive(bench, files);
      Object.defineProperty(bench.files, "size", { value: CROWDED_BYTES + 1 });
      bench.clock.now = MIDNIGHT - 1 + 7 * DAY;
      await bench.maintenance.run();
      expect(namesOf(bench)).toHaveLength(2);
      await bench.runAfter(1);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT)]);
    });
  });

  it("is dropped only when older ones did not make room, one in each alarm", async () => {
    await atMidnight(async (bench, files) => {
      for (const day of [0, 1, 2]) files.push(...acceptAt(bench, MIDNIGHT + day * DAY, WORTH));
      await archive(bench, files);
      Object.defineProperty(bench.files, "size", {
        get: () => CROWDED_BYTES - 2 + namesOf(bench).length,
      });
      bench.clock.now = MIDNIGHT + 20 * DAY;
      await bench.maintenance.run();
      expect(namesOf(bench)).toHaveLength(3);
      await bench.runAlarmsUntil(bench.clock.now + MINUTE);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT + DAY), tableOf(MIDNIGHT + 2 * DAY)]);
      await bench.runAlarmsUntil(bench.clock.now + 2 * DAY);
      expect(namesOf(bench)).toHaveLength(2);
    });
  });

  it("is dropped after a week from a full gate, although no more reports arrive", async () => {
    await atMidnight(async (bench, files) => {
      files.push(...acceptAt(bench, MIDNIGHT + 12 * HOUR, WORTH));
      await archive(bench, files);
      for (const restarted of [false, true]) {
        if (restarted) bench.restart();
        Object.defineProperty(bench.files, "size", { value: CROWDED_BYTES + 1 });
        await bench.runAlarmsUntil(MIDNIGHT - 1 + 7 * DAY);
        expect(namesOf(bench)).toHaveLength(2);
      }
      await bench.runAlarmsUntil(MIDNIGHT - 1 + 7 * DAY + 2 * HOUR);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT)]);
      expect(await bench.runAlarmsUntil(MIDNIGHT + 7 * DAY + 14 * HOUR)).toBeLessThan(20);
      expect(namesOf(bench)).toEqual([]);
    });
  });

  it("is dropped after its files were archived in several segments and pages", async () => {
    await inGate(await newGate({ plan: "enterprise" }), async (bench) => {
      bench.clock.now = MIDNIGHT;
      const sealed = () => ({ sealed: randomBytes(60_000) });
      const files = Array.from({ length: 150 }, () => bench.accept(sealed()));
      const late = Array.from({ length: 150 }, () => bench.accept(sealed()));
      const kept = new Map([...files, ...late].map((id) => [id, bench.files.payload(seqOf(id))]));
      for (const fileId of late) {
        bench.forward(fileId, {
          kind: "deferred",
          responseStatus: 503,
          retryAfterMs: null,
          error: randomBytes(8),
        });
        bench.forward(fileId);
      }
      await archive(bench, files);
      for (const [fileId, bytes] of kept) expect(bench.sealedOf(fileId)).toEqual(bytes);
      const segments = segmentsOf(bench);
      expect(segments.length).toBeGreaterThan(4);
      const listed = segments.flatMap(({ files }) => files.map((file) => file.fileId));
      expect(listed.sort()).toEqual([...kept.keys()].sort());
      await bench.runAlarmsUntil(MIDNIGHT + 98 * DAY);
      expect(namesOf(bench)).toEqual([]);
    });
  });

  it.each([
    {
      name: "is queued",
      hold: () => undefined,
      release: (bench: Bench, fileId: string) => void bench.forward(fileId),
    },
    {
      name: "cannot be archived",
      hold: (bench: Bench, fileId: string) => {
        bench.forward(fileId);
        bench.onCall = (call) => (call.startsWith("put archive/") ? "before" : undefined);
      },
      release: (bench: Bench) => {
        bench.onCall = () => undefined;
      },
    },
    {
      name: "was replayed",
      hold: (bench: Bench, fileId: string) => {
        bench.forward(fileId, { kind: "refused", responseStatus: 422, error: randomBytes(8) });
        bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
      },
      release: (bench: Bench, fileId: string) => void bench.forward(fileId),
    },
  ])("stays for the one file that $name, and goes with it", async ({ hold, release }) => {
    await atMidnight(async (bench, [stuck = "", ...files]) => {
      acceptAt(bench, MIDNIGHT);
      await archive(bench, files);
      const payload = bench.files.payload(seqOf(stuck));
      hold(bench, stuck);
      bench.clock.now = MIDNIGHT + 90 * DAY;
      for (let i = 0; i < 3; i++) {
        await bench.runAfter(HOUR);
        bench.restart();
      }
      expect(namesOf(bench)).toHaveLength(2);
      expect(bench.files.payload(seqOf(stuck))).toEqual(payload);
      for (const fileId of files) expect(bench.row(fileId)).toBeNull();
      release(bench, stuck);
      await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT)]);
      expect(bench.row(stuck)).toBeNull();
    });
  });

  it("stays whole while the archive is down", async () => {
    await atMidnight(async (bench, files) => {
      acceptAt(bench, MIDNIGHT);
      for (const fileId of files) bench.forward(fileId);
      bench.onCall = (call) => (call.startsWith("put") ? "before" : undefined);
      await bench.runAfter(91 * DAY);
      expect(namesOf(bench)).toHaveLength(2);
      for (const fileId of files) expect(bench.sealedOf(fileId)).not.toBeNull();
      bench.onCall = () => undefined;
      await bench.runAfter(MINUTE);
      expect(namesOf(bench)).toEqual([tableOf(MIDNIGHT)]);
    });
  });

  it("does not keep the alarm busy while it has to stay", async () => {
    await atMidnight(async (bench, [stuck = "", ...files]) => {
      await archive(bench, files);
      await bench.runAlarmsUntil(MIDNIGHT + 99 * DAY);
      expect(bench.row(stuck)).not.toBeNull();
      expect(await bench.runAlarmsUntil(bench.clock.now + DAY)).toBeLessThan(30);
    });
  });
});

describe("a partition that is used for weeks", () => {
  it("deletes each file 97 days after its arrival, and none before", async () => {
    await inGate(await newGate(), async (bench) => {
      const files = [0, 10, 20].flatMap((day) => acceptAt(bench, MIDNIGHT + day * DAY));
      await archive(bench, files);
      for (const [i, day] of [0, 10, 20].entries()) {
        await bench.runAlarmsUntil(MIDNIGHT + (day + 97) * DAY - MINUTE);
        expect(bench.files.list(null, 10)).toHaveLength(3 - i);
        await bench.runAlarmsUntil(MIDNIGHT + (day + 97) * DAY + MINUTE);
        expect(bench.files.list(null, 10)).toHaveLength(2 - i);
      }
      expect(bench.maintenance.nextAt()).toBeNull();
    });
  });
});
